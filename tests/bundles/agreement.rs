//! Both verifiers come to the same verdict on random bundles and on everything that was done to them.

use libtest_mimic::{Failed, Trial};
use std::collections::BTreeMap;

use super::mutants::MUTATIONS;
use super::python::{self, Python};
use super::random::Random;
use super::world::{World, verdict};

/// Worlds that are made in the test command; each gives one bundle and a mutant of every kind.
const WORLDS: u64 = 16;

pub(crate) fn trials() -> Vec<Trial> {
    vec![python::trial(
        "both_verifiers_agree_on_random_bundles_and_mutants",
        agree,
    )]
}

fn number(name: &str, otherwise: u64) -> Result<u64, Failed> {
    match std::env::var(name) {
        Ok(text) => Ok(text.parse()?),
        Err(_) => Ok(otherwise),
    }
}

fn agree() -> Result<(), Failed> {
    let (worlds, first) = (
        number("RECOUNT_BUNDLES", WORLDS)?,
        number("RECOUNT_SEED", 1)?,
    );
    let mut python = Python::start()?;
    let mut counts: BTreeMap<u8, u64> = BTreeMap::new();
    let mut dishonest = [0u64; 2];
    let mut before = World::random(&mut Random::new(first.wrapping_sub(1)));
    for seed in first..first + worlds {
        let mut random = Random::new(seed);
        let it = World::random(&mut random);
        for (name, mutation) in MUTATIONS {
            let Some(mutant) = mutation(&it, &before, &mut random) else {
                continue;
            };
            let known = match random.below(5) {
                0 => it.known.clone(),
                1 => before.known.clone(),
                _ => Vec::new(),
            };
            let key = random.once_in(3).then(|| it.key());
            let (rust, why) = verdict(&mutant, &known, key.as_ref());
            let key = key.map(|key| key.to_string()).unwrap_or_default();
            let (found, because) = python.verify(&mutant, &known, &key)?;
            if rust != found {
                let kept = std::env::temp_dir().join("recount-disagreement.tar");
                std::fs::write(&kept, &mutant)?;
                return Err(format!(
                    "seed {seed}, {name}: {rust} ({why}) in Rust, {found} ({because}) in Python; {}",
                    kept.display()
                )
                .into());
            }
            if *name == "nothing" && it.honest && known.is_empty() && !matches!(rust, 0 | 6) {
                return Err(format!("seed {seed}: a good bundle is {rust}: {why}").into());
            }
            if *name == "nothing" && !it.honest {
                dishonest[usize::from(rust == 3)] += 1;
            }
            *counts.entry(rust).or_default() += 1;
        }
        before = it;
    }
    println!("verdicts of both, by exit code: {counts:?}");
    println!(
        "with producers: {} good, {} broken",
        dishonest[0], dishonest[1]
    );
    if dishonest.contains(&0) {
        return Err(
            "producers that chain and sign, and some that do it wrongly, are wanted".into(),
        );
    }
    for code in [0, 2, 3, 6] {
        if counts.get(&code).is_none_or(|count| *count < worlds / 8) {
            return Err(format!("hardly ever {code}: {counts:?}").into());
        }
    }
    Ok(())
}
