//! The one table from which CRM, contracts and tickets are made.

/// What a customer pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// The smallest plan.
    Starter,
    /// The middle plan.
    Growth,
    /// The plan whose renewals the agent drafts.
    Enterprise,
}

impl Tier {
    /// As the CRM spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starter => "starter",
            Self::Growth => "growth",
            Self::Enterprise => "enterprise",
        }
    }
}

/// One customer of the company the agent works for.
#[derive(Clone, Copy, Debug)]
pub struct Customer {
    /// Number in the CRM.
    pub id: u32,
    /// Name of the company.
    pub name: &'static str,
    /// Plan.
    pub tier: Tier,
    /// Yearly value in thousands, for enterprise customers.
    pub value: u32,
    /// Days from the run's date to the end of the contract, for enterprise customers.
    pub ends_in_days: i32,
}

/// The customer with an open ticket of severity 1.
pub const SEVERITY_ONE: u32 = 1028;

/// The customer for whom the support desk fails once.
pub const TICKETS_FAIL_ONCE: u32 = 1017;

/// Every customer, by number: 24 of the 46 are enterprise, and the contracts of 14 end within 60 days.
pub const CUSTOMERS: &[Customer] = &[
    smaller(1001, "Acorn Books", Tier::Starter),
    enterprise(1002, "Alder Insurance", 610, 190),
    enterprise(1003, "Aster Freight", 480, 12),
    smaller(1004, "Amber Bakery", Tier::Growth),
    smaller(1005, "Beacon Gym", Tier::Starter),
    enterprise(1006, "Basalt Steel", 540, 75),
    enterprise(1007, "Birch Analytics", 455, 18),
    smaller(1008, "Clover Cafe", Tier::Growth),
    enterprise(1009, "Kestrel Retail", 190, 16),
    smaller(1010, "Coral Diving", Tier::Starter),
    enterprise(1011, "Cinder Labs", 330, 61),
    enterprise(1012, "Cobalt Mining", 430, 21),
    smaller(1013, "Daisy Florist", Tier::Growth),
    enterprise(1014, "Dune Hotels", 300, 240),
    enterprise(1015, "Lumen Media", 175, 27),
    smaller(1016, "Drift Surf", Tier::Starter),
    enterprise(1017, "Delta Works", 405, 25),
    smaller(1018, "Eagle Optics", Tier::Growth),
    enterprise(1019, "Elm Pharma", 275, 120),
    smaller(1020, "Fern Garden", Tier::Starter),
    enterprise(1021, "Ember Energy", 380, 29),
    smaller(1022, "Finch Music", Tier::Growth),
    smaller(1023, "Gale Sailing", Tier::Starter),
    enterprise(1024, "Flint Motors", 260, 99),
    smaller(1025, "Hazel Toys", Tier::Growth),
    enterprise(1026, "Fjord Shipping", 350, 33),
    smaller(1027, "Iris Studio", Tier::Starter),
    enterprise(1028, "Orbit Telecom", 400, 41),
    enterprise(1029, "Grove Textiles", 245, 300),
    smaller(1030, "Ivy Tutors", Tier::Growth),
    enterprise(1031, "Granite Bank", 320, 38),
    smaller(1032, "Jade Spa", Tier::Starter),
    enterprise(1033, "Heath Robotics", 230, 210),
    smaller(1034, "Jasper Tools", Tier::Growth),
    enterprise(1035, "Harbor Clinics", 290, 44),
    smaller(1036, "Kelp Kitchen", Tier::Starter),
    enterprise(1037, "Isle Ferries", 220, 155),
    smaller(1038, "Larch Cycles", Tier::Growth),
    enterprise(1039, "Indigo Airways", 250, 51),
    smaller(1040, "Maple Diner", Tier::Starter),
    smaller(1041, "Moss Pottery", Tier::Growth),
    enterprise(1042, "Tarn Logistics", 160, 55),
    smaller(1043, "Nettle Tea", Tier::Starter),
    enterprise(1044, "Juniper Foods", 210, 58),
    smaller(1045, "Opal Jewels", Tier::Growth),
    enterprise(1046, "Kite Software", 205, 65),
];

const fn enterprise(id: u32, name: &'static str, value: u32, ends_in_days: i32) -> Customer {
    Customer {
        id,
        name,
        tier: Tier::Enterprise,
        value,
        ends_in_days,
    }
}

const fn smaller(id: u32, name: &'static str, tier: Tier) -> Customer {
    Customer {
        id,
        name,
        tier,
        value: 0,
        ends_in_days: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_the_numbers_the_story_needs() {
        let enterprise: Vec<_> = CUSTOMERS
            .iter()
            .filter(|c| c.tier == Tier::Enterprise)
            .collect();
        assert!(CUSTOMERS.len() >= 40);
        assert_eq!(enterprise.len(), 24);
        assert_eq!(
            enterprise.iter().filter(|c| c.ends_in_days <= 60).count(),
            14
        );
        assert!(CUSTOMERS.windows(2).all(|pair| pair[0].id < pair[1].id));
    }
}
