use super::*;

fn head(attribute: &str) -> ScoredHead {
    ScoredHead {
        attribute: attribute.to_owned(),
        labels: Vec::new(),
        loss: Default::default(),
        truth: Vec::new(),
        logits: Vec::new(),
        temperature: None,
    }
}

#[test]
fn file_names_of_heads_are_harmless_and_differ() {
    let heads = ["ear", "Ear", "a/b", "a_b", "../x"].map(head);
    assert_eq!(stems(&heads), ["ear", "Ear_2", "a_b", "a_b_2", "___x"]);
}

#[test]
fn clearing_takes_reports_and_leaves_what_is_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["confusion_ear.png", "reliability_ear.csv", "curves.png", "per_class.csv", "notes_confusion.png"] {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    fs::write(dir.path().join("README.md"), "# The user's own").unwrap();
    fs::create_dir_all(dir.path().join("cam/ear")).unwrap();
    fs::write(dir.path().join("cam/ear/001_a.png"), "x").unwrap();
    clear(dir.path()).unwrap();
    let left = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: BTreeSet<String> = left.collect();
    assert_eq!(left.into_iter().collect::<Vec<_>>(), ["README.md", "notes_confusion.png"]);
    clear(&dir.path().join("nowhere")).unwrap();
}
