//! A configuration written as briefly as a person would.

use toml::{Table, Value};

use super::{HeadConfig, RunConfig};

impl RunConfig {
    /// The configuration as TOML without the keys that have their defaults; [`Self::from_toml`] reads it back to an equal
    /// value. Empty for the defaults.
    pub fn to_brief_toml(&self) -> String {
        let table =
            |value: &Self| Table::try_from(value).expect("a run configuration has only tables, numbers and strings");
        let mut brief = without(&table(self), &table(&Self::default()));
        let usual = Table::try_from(HeadConfig::default()).expect("a head has only numbers and strings");
        // Last, as in the file of defaults.
        let mut heads = Table::new();
        if let Some(Value::Table(mut inner)) = brief.remove("heads") {
            for head in inner.iter_mut().filter_map(|(_, head)| head.as_table_mut()) {
                *head = without(head, &usual);
            }
            heads.insert("heads".to_owned(), Value::Table(inner));
        }
        let parts = [brief, heads].into_iter().filter(|part| !part.is_empty());
        let text = |part: Table| toml::to_string(&part).expect("a table of tables, numbers and strings");
        parts.map(text).collect::<Vec<_>>().join("\n")
    }
}

/// What differs from `usual`; tables that have nothing left are left out, unless `usual` does not know them.
fn without(table: &Table, usual: &Table) -> Table {
    let mut left = Table::new();
    for (key, value) in table {
        match (value, usual.get(key)) {
            (Value::Table(inner), Some(Value::Table(usual))) => {
                let inner = without(inner, usual);
                if !inner.is_empty() {
                    left.insert(key.clone(), Value::Table(inner));
                }
            }
            (value, usual) if usual != Some(value) => {
                left.insert(key.clone(), value.clone());
            }
            _ => {}
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_written_and_it_reads_back() {
        assert_eq!(RunConfig::default().to_brief_toml(), "");
        let text = "epochs = 3\n\n[model]\ntrain = \"all\"\n\n[heads.breed]\n\n[heads.ear]\ntargets = \"class\"\n";
        let config = RunConfig::from_toml(text).unwrap();
        let brief = config.to_brief_toml();
        assert_eq!(RunConfig::from_toml(&brief).unwrap(), config);
        assert_eq!(brief, text);
    }

    #[test]
    fn a_head_of_defaults_stays_a_head() {
        let config = RunConfig::from_toml("[heads.breed]\nweight = 2.0\n[heads.ear]\n").unwrap();
        assert_eq!(RunConfig::from_toml(&config.to_brief_toml()).unwrap(), config);
    }
}
