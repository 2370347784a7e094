//! Every screen at three sizes, as text and by its styles.

use tui::app::Msg;
use tui::app::update;

use crate::stage::{press, stage, text};

#[test]
fn look() {
    for (c, r) in [(80, 24), (160, 45), (60, 20)] {
        for keys in ["1", "2", "3", "4", "5", "?", "4s"] {
            let mut model = stage(c, r);
            press(&mut model, keys);
            println!("=== {keys} {c}x{r}\n{}", text(&model));
        }
    }
    let _ = (update, Msg::Resize(1, 1));
}
