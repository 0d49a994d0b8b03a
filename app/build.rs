//! Turns the catalogues of `texts/` into tables that the pages search.

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=texts/ja.toml");
    // The parser's table is sorted, so the generated one can be searched by halves.
    let catalogue: std::collections::BTreeMap<String, String> = toml::from_str(&fs::read_to_string("texts/ja.toml")?)?;
    let mut table = String::from("&[\n");
    for (english, japanese) in catalogue {
        writeln!(table, "    ({english:?}, {japanese:?}),")?;
    }
    table.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("ja.rs"), table)?;
    Ok(())
}
