//! What a frame, a key and opening cost over sessions of 100,000 and 1,000,000 records.
//!
//! `cargo bench -p tui --bench frame`. Each sample draws one frame at another place of the timeline; the column
//! `slowest` bounds the 99th percentile from above.
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up should stop"
)]

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::OnceLock;

use account::model::Account;
use divan::Bencher;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui::app::clock::Clock;
use tui::app::keys::{Code, Key};
use tui::app::look::{Look, Theme};
use tui::app::{Model, Msg, Opened, update, view};
use vocabulary::Timestamp;

fn main() {
    divan::main();
}

/// The sample account with its actions repeated; an action is two records, so 100,000 records are 50,000 actions.
fn grown(records: usize) -> Account {
    let text = include_str!("../../account/samples/renewal.json");
    let mut account: Account = serde_json::from_str(text).expect("the sample is an account");
    let sample: Vec<_> = account.actions.iter().cloned().collect();
    let mut actions = Vec::with_capacity(records / 2);
    for n in 0..records / 2 {
        let mut action = sample[n % sample.len()].clone();
        action.id = format!("action-{n}");
        action.parent = None;
        let began = 1_773_479_524_000_000_000 + n as u64 * 1_000_000;
        action.began_at = Some(Timestamp::from_unix_ns(began));
        action.ended_at = Some(Timestamp::from_unix_ns(began + 500_000));
        for (at, shown_by) in action.evidence.refs.iter_mut().enumerate() {
            shown_by.index = (n * 2 + at) as u64;
        }
        actions.push(action);
    }
    account.actions = actions.into();
    account
}

fn opened(records: usize) -> &'static Opened {
    static SMALL: OnceLock<Opened> = OnceLock::new();
    static LARGE: OnceLock<Opened> = OnceLock::new();
    let cell = if records <= 100_000 { &SMALL } else { &LARGE };
    cell.get_or_init(|| Opened::of(grown(records)))
}

fn model(records: usize, columns: u16, rows: u16, keys: &str) -> Model {
    let look = Look {
        theme: Theme::Auto,
        ascii: false,
    };
    let mut model = Model::new(
        look,
        Clock::utc(),
        "/var/lib/recount".to_owned(),
        String::new(),
    );
    update(&mut model, Msg::Resize(columns, rows));
    model.show(Box::new(opened(records).clone()));
    for key in keys.chars() {
        update(&mut model, Msg::Key(Key::char(key)));
    }
    model
}

/// One key that moves by a page, and the frame after it.
fn page_and_draw(bencher: Bencher<'_, '_>, records: usize, columns: u16, rows: u16) {
    let model = RefCell::new(model(records, columns, rows, "2"));
    let buf = RefCell::new(Buffer::empty(Rect::new(0, 0, columns, rows)));
    bencher.bench_local(|| {
        let (mut model, mut buf) = (model.borrow_mut(), buf.borrow_mut());
        update(&mut model, Msg::Key(Key::of(Code::PageDown)));
        if model.timeline.list.percent() == 100 {
            update(&mut model, Msg::Key(Key::of(Code::Home)));
        }
        view(&model, &mut buf);
        black_box(buf.area());
    });
}

#[divan::bench(args = [100_000, 1_000_000], sample_count = 1000, sample_size = 1)]
fn timeline_frame_160x45(bencher: Bencher<'_, '_>, records: usize) {
    page_and_draw(bencher, records, 160, 45);
}

#[divan::bench(args = [100_000], sample_count = 1000, sample_size = 1)]
fn timeline_frame_80x24(bencher: Bencher<'_, '_>, records: usize) {
    page_and_draw(bencher, records, 80, 24);
}

#[divan::bench(args = [100_000], sample_count = 1000, sample_size = 1)]
fn answer_frame_160x45(bencher: Bencher<'_, '_>, records: usize) {
    let model = model(records, 160, 45, "1");
    let mut buf = Buffer::empty(Rect::new(0, 0, 160, 45));
    bencher.bench_local(|| {
        view(&model, &mut buf);
        black_box(buf.area());
    });
}

/// One step of a replay, and the frame after it: the state must not be folded from the beginning.
#[divan::bench(args = [100_000, 1_000_000], sample_count = 1000, sample_size = 1)]
fn replay_step_160x45(bencher: Bencher<'_, '_>, records: usize) {
    let model = RefCell::new(model(records, 160, 45, "5G"));
    let buf = RefCell::new(Buffer::empty(Rect::new(0, 0, 160, 45)));
    bencher.bench_local(|| {
        let (mut model, mut buf) = (model.borrow_mut(), buf.borrow_mut());
        update(&mut model, Msg::Key(Key::char(',')));
        view(&model, &mut buf);
        black_box(buf.area());
    });
}

#[divan::bench(args = [100_000], sample_count = 200, sample_size = 1)]
fn next_problem(bencher: Bencher<'_, '_>, records: usize) {
    let model = RefCell::new(model(records, 160, 45, "2"));
    bencher.bench_local(|| update(&mut model.borrow_mut(), Msg::Key(Key::char('e'))));
}

#[divan::bench(args = [100_000], sample_count = 50, sample_size = 1)]
fn filter_by_text(bencher: Bencher<'_, '_>, records: usize) {
    let model = RefCell::new(model(records, 160, 45, "2"));
    bencher.bench_local(|| {
        let mut model = model.borrow_mut();
        for key in "fzz".chars() {
            update(&mut model, Msg::Key(Key::char(key)));
        }
        update(&mut model, Msg::Key(Key::of(Code::Esc)));
    });
}

#[divan::bench(args = [100_000], sample_count = 10, sample_size = 1)]
fn open_account(bencher: Bencher<'_, '_>, records: usize) {
    bencher
        .with_inputs(|| opened(records).account.clone())
        .bench_local_values(Opened::of);
}
