//! A virtual list: a cursor over any number of rows, of which only the visible ones are ever made.

/// Cursor and scroll position of a list. Widgets of the terminal library build every row for every
/// frame (measured: 148–246 ms at 100,000 rows), so rows are made by the screen, for this window only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List {
    total: usize,
    cursor: usize,
    top: usize,
    height: usize,
}

impl List {
    /// A list of `total` rows with the cursor on the first.
    pub fn new(total: usize) -> List {
        List {
            total,
            ..List::default()
        }
    }

    /// Rows in the list.
    pub fn total(&self) -> usize {
        self.total
    }

    /// The selected row; 0 in an empty list.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// The rows that are visible.
    pub fn window(&self) -> std::ops::Range<usize> {
        self.top..(self.top + self.height).min(self.total)
    }

    /// Changes how many rows exist; the cursor stays inside.
    pub fn set_total(&mut self, total: usize) {
        self.total = total;
        self.go(self.cursor);
    }

    /// Changes how many rows are visible; the cursor stays visible.
    pub fn set_height(&mut self, height: usize) {
        self.height = height;
        self.go(self.cursor);
    }

    /// Moves the cursor to a row, or to the nearest one that exists.
    pub fn go(&mut self, row: usize) {
        self.cursor = row.min(self.total.saturating_sub(1));
        if self.cursor < self.top {
            self.top = self.cursor;
        }
        if self.height > 0 && self.cursor >= self.top + self.height {
            self.top = self.cursor + 1 - self.height;
        }
        self.top = self.top.min(self.total.saturating_sub(self.height));
    }

    /// Moves the cursor to a row and shows it a third of the way down, so what led to it is visible.
    pub fn jump(&mut self, row: usize) {
        self.go(row);
        let above = self.height / 3;
        self.top = self
            .cursor
            .saturating_sub(above)
            .min(self.total.saturating_sub(self.height));
    }

    /// Another list in the place of this one, whose cursor row is row `at` of it: it stays where it is on the screen.
    pub fn keep(&mut self, total: usize, at: usize) {
        let line = self.cursor.saturating_sub(self.top);
        self.total = total;
        self.top = at.saturating_sub(line);
        self.go(at);
    }

    /// Moves the cursor by rows.
    pub fn step(&mut self, rows: isize) {
        self.go(self.cursor.saturating_add_signed(rows));
    }

    /// Moves the cursor by a part of the page, at least one row.
    pub fn page(&mut self, halves: isize) {
        let half = (self.height / 2).max(1);
        let rows = isize::try_from(half)
            .unwrap_or(isize::MAX)
            .saturating_mul(halves);
        self.step(rows);
    }

    /// How far down the cursor is, in percent.
    pub fn percent(&self) -> usize {
        if self.total <= 1 {
            100
        } else {
            self.cursor * 100 / (self.total - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stays_inside_and_visible() {
        let mut list = List::new(10);
        list.set_height(4);
        list.step(100);
        assert_eq!((list.cursor(), list.window()), (9, 6..10));
        list.step(-100);
        assert_eq!((list.cursor(), list.window()), (0, 0..4));
        list.jump(5);
        assert!(list.window().contains(&5));
        list.set_total(2);
        assert_eq!((list.cursor(), list.window()), (1, 0..2));
    }

    #[test]
    fn an_empty_list_moves_nowhere() {
        let mut list = List::new(0);
        list.set_height(5);
        list.step(3);
        list.page(-2);
        assert_eq!((list.cursor(), list.window()), (0, 0..0));
    }
}
