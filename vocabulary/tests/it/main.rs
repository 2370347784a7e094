//! Everything that is generated from the catalogue is current, and says what the code says.

mod committed;
mod glossary;
mod records;
mod samples;
mod schemas;
