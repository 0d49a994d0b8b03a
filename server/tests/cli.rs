//! The command line as a process: results on standard output, exit codes, files.

mod fixtures;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use sqlx::PgPool;

/// `kenami` on the test's database.
struct Kenami {
    url: String,
    folder: tempfile::TempDir,
}

impl Kenami {
    fn new(db: &PgPool) -> Self {
        let server = std::env::var("DATABASE_URL").expect("DATABASE_URL");
        let (server, parameters) = server.split_once('?').map_or((server.as_str(), ""), |(url, rest)| (url, rest));
        let (server, _) = server.rsplit_once('/').expect("a database in DATABASE_URL");
        let name = db.connect_options().get_database().expect("a database").to_owned();
        Self { url: format!("{server}/{name}?{parameters}"), folder: tempfile::tempdir().expect("folder") }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    /// A command; those with a database get the test's.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kenami"));
        command.args(arguments).env_remove("DATABASE_URL").env("KENAMI_DATA_DIR", self.path("data"));
        let serverless = ["agreement", "consensus", "predict"].contains(&arguments[0])
            || (arguments[0] == "train" && Path::new(arguments[2]).is_dir());
        if serverless {
            // Nobody answers there: a command that asked would fail.
            command.env("DATABASE_URL", "postgres://127.0.0.1:1/none");
        } else {
            command.args(["--database-url", &self.url]);
        }
        command.output().expect("kenami runs")
    }

    /// Standard output of a command that must succeed.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {} {errors}", output.status);
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Exit code and standard error of a command that must fail.
    fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        assert!(output.stdout.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        (output.status.code().expect("a code"), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_whole_loop_on_the_command_line(db: PgPool) {
    let kenami = Kenami::new(&db);
    let pets = kenami.folder.path().join("pets");
    fixtures::pets(&pets);
    fixtures::put(&pets, "images/pug_7.jpg", "no photo");
    fixtures::put(kenami.folder.path(), "labels.csv", fixtures::labels_csv());
    let [labels, exported, dataset, run, config] =
        ["labels.csv", "exported.csv", "dataset", "run", "run.toml"].map(|name| kenami.path(name));

    let imported = kenami.ok(&["import", "pets", pets.to_str().unwrap(), "--layout", "oxford-pets"]);
    assert!(imported.contains("12 photos added") && imported.contains("skipped pug_7.jpg:"), "{imported}");
    let again = kenami.ok(&["import", "pets", pets.to_str().unwrap(), "--json"]);
    let report: Value = serde_json::from_str(&again).expect("one JSON document");
    assert_eq!((&report["added"], &report["unchanged"]), (&Value::from(0), &Value::from(12)));

    assert!(kenami.ok(&["labels", "import", "pets", &labels]).starts_with("48 labels imported"));
    kenami.ok(&["labels", "export", "pets", "--out", &exported]);
    let rows = fs::read_to_string(&exported).unwrap();
    assert_eq!(rows.lines().count(), 49);
    assert!(rows.contains("pug_1.jpg,b,ear,erect"));

    let frozen: Value = serde_json::from_str(&kenami.ok(&["dataset", "freeze", "pets", "v1", "--json"])).unwrap();
    assert_eq!(frozen["row"]["photos"], 12);
    assert_eq!(frozen["summary"]["splits"]["test"], 4);
    let (code, error) = kenami.fails(&["dataset", "freeze", "pets", "v1"]);
    assert_eq!(code, 1, "{error}");
    kenami.ok(&["export", "pets/v1", "--format", "folder", "--out", &dataset]);
    assert_eq!(fs::read_dir(kenami.folder.path().join("dataset/images")).unwrap().count(), 12);

    fs::write(&config, "epochs = 2\nimage_size = 32\n[model]\nweights = \"none\"\n").unwrap();
    let metrics = kenami.ok(&["train", "--dataset", &dataset, "--config", &config, "--out", &run]);
    assert!(metrics.contains("breed") && metrics.contains("accuracy"), "{metrics}");
    for file in ["metrics.json", "model.safetensors", "config.toml", "predictions.csv", "curves.csv"] {
        assert!(kenami.folder.path().join("run").join(file).is_file(), "{file}");
    }
    let from_database = kenami.path("run2");
    kenami.ok(&["train", "--dataset", "v1", "--config", &config, "--out", &from_database]);
    let figures = |run: &str| -> Value {
        let text = fs::read_to_string(kenami.folder.path().join(run).join("metrics.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["heads"].clone()
    };
    assert_eq!(figures("run"), figures("run2"), "the dataset is the same from a folder and from the database");

    let picture = kenami.path("rates.png");
    let told = kenami.ok(&["train", "--dataset", &dataset, "--config", &config, "--find-lr", &picture]);
    assert!(told.starts_with("optimizer.lr = ") || told.starts_with("no rate"), "{told}");
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    assert!(fs::read_to_string(kenami.path("rates.csv")).unwrap().starts_with("step,lr,loss,smoothed\n0,"));

    let predicted = kenami.path("predicted.csv");
    let images = kenami.path("dataset/images");
    kenami.ok(&["predict", "--run", &run, "--images", &images, "--out", &predicted]);
    let rows = fs::read_to_string(&predicted).unwrap();
    assert_eq!(rows.lines().next(), Some("image,attribute,answer,probability"));
    assert!(rows.lines().any(|row| row.starts_with("pug_1.jpg,breed,")), "{rows}");
}

/// A run on a folder in a process of its own.
fn training(kenami: &Kenami, out: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kenami"));
    let [dataset, config, out] = ["dataset", "long.toml", out].map(|name| kenami.path(name));
    command.args(["train", "--dataset", &dataset, "--config", &config, "--out", &out]).args(more);
    command.env("KENAMI_DATA_DIR", kenami.path("data")).env("DATABASE_URL", "postgres://127.0.0.1:1/none");
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command
}

#[sqlx::test(migrations = "../migrations")]
async fn a_killed_training_ends_as_an_unbroken_one(db: PgPool) {
    let kenami = Kenami::new(&db);
    let pets = kenami.folder.path().join("pets");
    fixtures::pets(&pets);
    kenami.ok(&["import", "pets", pets.to_str().unwrap(), "--layout", "oxford-pets"]);
    kenami.ok(&["dataset", "freeze", "pets", "v1"]);
    kenami.ok(&["export", "pets/v1", "--format", "folder", "--out", &kenami.path("dataset")]);
    let config = "epochs = 40\nbatch_size = 2\nimage_size = 64\n[model]\nweights = \"demo\"\ntrain = \"all\"\n\
                  [optimizer]\nlr = 0.001\nema = 0.9\n[stop]\nkeep = \"best\"\n";
    fs::write(kenami.path("long.toml"), config).unwrap();
    assert!(training(&kenami, "whole", &[]).status().unwrap().success());

    // Killed at a step that nobody chose, as often as it takes; after the first time there is a checkpoint.
    let checkpoint = kenami.folder.path().join("broken/checkpoint.safetensors");
    let mut kills = 0;
    for round in 0u64.. {
        let mut child = training(&kenami, "broken", &["--resume"]).spawn().unwrap();
        while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
        std::thread::sleep(std::time::Duration::from_millis(300 + u64::from(nanos / 1000) % 400 + 200 * round));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 0, "the run was over before it could be killed");
    for file in ["model.safetensors", "predictions.csv", "curves.csv"] {
        let [whole, broken] =
            ["whole", "broken"].map(|run| fs::read(kenami.folder.path().join(run).join(file)).unwrap());
        assert!(whole == broken, "{file} differs after {kills} kills");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn mistakes_have_their_exit_codes(db: PgPool) {
    let kenami = Kenami::new(&db);
    let empty = kenami.path("empty");
    fs::create_dir(&empty).unwrap();
    fixtures::put(kenami.folder.path(), "broken/a/x.jpg", "no photo");
    let (code, error) = kenami.fails(&["import", "pets", &empty]);
    assert_eq!((code, error.contains("no photos")), (1, true), "{error}");
    let output = kenami.run(&["import", "pets", &kenami.path("broken")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("skipped a/x.jpg"));
    assert_eq!(kenami.fails(&["import", "pets", &kenami.path("nowhere")]).0, 2);
    assert_eq!(kenami.fails(&["export", "none", "--format", "csv", "--out", &kenami.path("x.csv")]).0, 1);
    assert_eq!(kenami.fails(&["export", "none", "--format", "parquet", "--out", "x"]).0, 2);
    assert_eq!(kenami.fails(&["labels", "import", "none", &kenami.path("none.csv")]).0, 1);
    assert_eq!(kenami.fails(&["dataset", "freeze", "none", "v1", "--policy", "crowdlab"]).0, 2);
    fixtures::put(kenami.folder.path(), "bad.toml", "epochs = 1\nepoch = 2\n");
    let (code, error) = kenami.fails(&["train", "--dataset", "v1", "--config", &kenami.path("bad.toml"), "--out", "x"]);
    assert_eq!(code, 2);
    assert!(error.contains("line 2") && error.contains("epoch"), "{error}");
}

#[sqlx::test(migrations = "../migrations")]
async fn agreement_and_consensus_need_no_server(db: PgPool) {
    let kenami = Kenami::new(&db);
    let votes = "item,annotator,attribute,answer\n1,x,ear,drop\n1,y,ear,drop\n2,x,ear,erect\n2,y,ear,drop\n3,x,ear,erect\n3,y,ear,erect\n";
    fixtures::put(kenami.folder.path(), "votes.csv", votes);
    let file = kenami.path("votes.csv");
    let report: Value = serde_json::from_str(&kenami.ok(&["agreement", &file, "--json"])).unwrap();
    let ear = &report["attributes"]["ear"];
    assert_eq!((&ear["items"], &ear["annotators"], &ear["votes"]), (&3.into(), &2.into(), &6.into()));
    assert!((ear["percent"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-12);
    // Krippendorff: 1 - (n - 1) * disagreeing pairs / (n_drop * n_erect) = 1 - 5 * 1 / 9.
    assert!((ear["alpha"].as_f64().unwrap() - 4.0 / 9.0).abs() < 1e-12, "{ear}");
    assert!(kenami.ok(&["agreement", &file]).contains("0.4444"));

    let majority: Value =
        serde_json::from_str(&kenami.ok(&["consensus", &file, "--method", "majority", "--json"])).unwrap();
    let items = &majority["attributes"]["ear"]["items"];
    assert_eq!((&items["1"]["answer"], &items["2"]["answer"]), (&"drop".into(), &Value::Null));
    assert_eq!(items["2"]["tied"], serde_json::json!(["drop", "erect"]));
    kenami.ok(&["consensus", &file, "--method", "dawid-skene", "--json"]);
    assert_eq!(kenami.fails(&["consensus", &file, "--method", "crowdlab"]).0, 2);
    assert_eq!(kenami.fails(&["agreement", &kenami.path("none.csv")]).0, 1);
    assert!(kenami.ok(&["agreement", &file]).contains("drop / erect"));
    assert_eq!(kenami.fails(&["agreement", &file, "--seed", "1"]).0, 2);
    assert_eq!(kenami.fails(&["agreement", &file, "--bootstrap", "0"]).0, 2);
    let bootstrap = ["agreement", &file, "--json", "--bootstrap", "200", "--seed", "3"];
    let report: Value = serde_json::from_str(&kenami.ok(&bootstrap)).unwrap();
    assert_eq!(report["bootstrap"], serde_json::json!({"resamples": 200, "level": 0.95, "seed": 3}));
    let interval = report["attributes"]["ear"]["intervals"]["percent"].clone();
    assert_eq!(interval, serde_json::json!([0.0, 1.0]), "three items, one of which is disputed");
    assert_eq!(kenami.ok(&bootstrap), kenami.ok(&bootstrap));

    let columns = "image,annotator,attribute,answer,breed\n1,x,ear,drop,pug\n1,y,ear,drop,pug\n2,x,ear,erect,beagle\n2,y,ear,drop,beagle\n3,x,ear,,pug\n";
    fixtures::put(kenami.folder.path(), "breeds.csv", columns);
    let output = kenami.run(&["agreement", &kenami.path("breeds.csv"), "--json", "--by", "breed"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let by = &report["groups"]["breed"]["ear"];
    assert_eq!((&by["pug"]["percent"], &by["beagle"]["percent"]), (&1.0.into(), &0.0.into()), "{by}");
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(notes.contains("breeds.csv: line 6, column answer: empty"), "{notes}");
    assert!(kenami.ok(&["agreement", &kenami.path("breeds.csv"), "--by", "breed"]).contains("by breed"));
    assert!(kenami.fails(&["agreement", &file, "--by", "week"]).1.contains("`week` is missing"));

    fixtures::put(kenami.folder.path(), "decided.csv", "item,attribute,answer\n2,ear,erect\n");
    let text = kenami.ok(&["consensus", &file, "--method", "majority", "--decisions", &kenami.path("decided.csv")]);
    assert!(text.contains("ear\t2\terect\tdecided\n") && text.contains("ear\tx\t1.0000\t3"), "{text}");
    fixtures::put(
        kenami.folder.path(),
        "p.csv",
        "item,attribute,answer,probability\n1,ear,drop,0.9\n1,ear,erect,1.5\n",
    );
    let output = kenami.run(&["consensus", &file, "--method", "crowdlab", "--probabilities", &kenami.path("p.csv")]);
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(notes.contains("p.csv: line 3, column probability: `1.5` is not a number from 0 to 1"), "{notes}");
    fixtures::put(kenami.folder.path(), "columns.csv", "item,who\n1,x\n");
    let (code, error) = kenami.fails(&["agreement", &kenami.path("columns.csv")]);
    assert_eq!(code, 1);
    assert!(error.contains("annotator"), "{error}");
}
