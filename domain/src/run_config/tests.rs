use super::*;

fn error(text: &str) -> ConfigError {
    RunConfig::from_toml(text).unwrap_err()
}

#[test]
fn an_empty_text_and_the_commented_file_are_the_defaults() {
    assert_eq!(RunConfig::from_toml("").unwrap(), RunConfig::default());
    assert_eq!(RunConfig::from_toml(DEFAULTS).unwrap(), RunConfig::default());
}

#[test]
fn the_commented_file_names_every_key_that_is_written_out() {
    let written = RunConfig::default().to_toml();
    for line in written.lines().filter(|line| line.contains(" = ")) {
        let key = line.split(" = ").next().unwrap();
        assert!(DEFAULTS.lines().any(|line| line.starts_with(&format!("{key} ="))), "{key}");
    }
}

#[test]
fn toml_and_json_round_trip() {
    let text = "epochs = 3\n[model]\nname = \"resnet34\"\ntrain = \"all\"\n[heads.breed]\nloss = \"kl\"\nsmoothing = 0\n\
                [heads.ear]\ntargets = { shrink = 2 }\nprior = \"train\"\n[heads.coat]\ntargets = \"class\"\n\
                [augment]\npolicy = \"fast-autoaugment\"\n[loss]\ntriplet_margin = 1\nof = \"breed\"\n\
                [stop]\nhead = \"ear\"\nkeep = \"best\"\n";
    let config = RunConfig::from_toml(text).unwrap();
    assert_eq!(config.heads["ear"].targets, Targets::Shrink(2.0));
    assert_eq!(config.heads["breed"].smoothing, Some(0.0));
    assert_eq!(config.heads["coat"].targets, Targets::Class);
    assert_eq!(config.loss.triplet_margin, TripletMargin::Hard(1.0));
    assert_eq!(RunConfig::from_toml(&config.to_toml()).unwrap(), config, "{}", config.to_toml());
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<RunConfig>(&json).unwrap(), config);
}

#[test]
fn infinite_shrinkage_is_the_class_level() {
    let config = RunConfig::from_toml("[heads.ear]\ntargets = { shrink = inf }").unwrap();
    assert_eq!(config.heads["ear"].targets, Targets::Class);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_column() {
    let top = error("seed = 1\nepoch = 3\n");
    assert_eq!((top.line, top.column), (Some(2), Some(1)), "{top}");
    assert!(top.message.contains("`epoch`") && top.message.contains("epochs"), "{top}");
    let nested = error("seed = 1\n\n[optimizer]\nlr = 0.1\n  learning_rate = 3\n");
    assert_eq!((nested.line, nested.column), (Some(5), Some(3)), "{nested}");
    let head = error("[heads.ear]\nsmooth = 0.1\n");
    assert_eq!((head.line, head.column), (Some(2), Some(1)), "{head}");
    let shrink = error("[heads.ear]\ntargets = { shrunk = 2 }\n");
    assert_eq!(shrink.line, Some(2), "{shrink}");
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_line() {
    for (text, line, word) in [
        ("seed = 1\nepochs = \"ten\"\n", 2, "ten"),
        ("seed = 1\nepochs = -1\n", 2, "-1"),
        ("[model]\n\nname = \"resnet35\"\n", 3, "resnet35"),
        ("[heads.ear]\ntargets = \"photo\"\n", 2, "photo"),
        ("[schedule]\nname = \"onecycle\"\n", 2, "onecycle"),
        ("seed = \n", 1, ""),
        ("[heads.ear]\nvotes = \"one\"\n", 2, "one"),
        ("[loss]\ntriplet_margin = \"hard\"\n", 2, "hard"),
        ("[sampler]\nkind = \"random\"\n", 2, "random"),
    ] {
        let error = error(text);
        assert_eq!(error.line, Some(line), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_value_out_of_range_names_key_line_and_range() {
    for (text, line, key) in [
        ("seed = 1\nepochs = 0\n", 2, "epochs"),
        ("batch_size = 0\n", 1, "batch_size"),
        ("\n\nimage_size = 8\n", 3, "image_size"),
        ("[optimizer]\nlr = 0\n", 2, "optimizer.lr"),
        ("[optimizer]\nlr = nan\n", 2, "optimizer.lr"),
        ("[optimizer]\nname = \"sgd\"\nmomentum = 1.0\n", 3, "optimizer.momentum"),
        ("[optimizer]\nnesterov = true\nmomentum = 0\n", 2, "optimizer.nesterov"),
        ("[schedule]\nrise = 1.5\n", 2, "schedule.rise"),
        ("[heads.breed]\nsmoothing = 1\n", 2, "heads.breed.smoothing"),
        ("[heads.breed]\nweight = -1\n", 2, "heads.breed.weight"),
        ("[heads.breed]\ntargets = { shrink = -1 }\n", 2, "heads.breed.targets"),
        ("[model]\nweights = \"\"\n", 2, "model.weights"),
        ("[augment]\ncrop_scale = [0.5, 0.4]\n", 2, "augment.crop_scale"),
        ("[augment]\ncrop_scale = [0.5, 1.5]\n", 2, "augment.crop_scale"),
        ("[augment]\ncrop_ratio = [0, 1]\n", 2, "augment.crop_ratio"),
        ("[augment]\nflip = 1.5\n", 2, "augment.flip"),
        ("[augment]\njitter = [0, 0, 0, 0.6]\n", 2, "augment.jitter"),
        ("[augment]\nerasing = -0.5\n", 2, "augment.erasing"),
        ("[augment]\nmixup = -1\n", 2, "augment.mixup"),
        ("[augment]\n\nmagnitude = 31\n", 3, "augment.magnitude"),
        ("[model]\n\ndropout = 1.0\n", 3, "model.dropout"),
        ("[model]\nattention_masks = 0\n", 2, "model.attention_masks"),
        ("[optimizer]\nema = 1\n", 2, "optimizer.ema"),
        ("[optimizer]\naccumulate = 0\n", 2, "optimizer.accumulate"),
        ("[optimizer]\nlayer_decay = 1.1\n", 2, "optimizer.layer_decay"),
        ("[optimizer]\nclip_norm = -1\n", 2, "optimizer.clip_norm"),
        ("[optimizer]\nanchor = inf\n", 2, "optimizer.anchor"),
        ("[loss]\ntriplet_margin = -0.5\n", 2, "loss.triplet_margin"),
        ("[loss]\nof = \"ear\"\n[heads.breed]\n", 2, "loss.of"),
        ("[heads.breed]\n[stop]\nhead = \"ear\"\n", 3, "stop.head"),
        ("[stop]\nminutes = nan\n", 2, "stop.minutes"),
        ("[sampler]\nkind = \"pk\"\nk = 0\n", 3, "sampler.k"),
        ("[evaluate]\nfolds = 1\n", 2, "evaluate.folds"),
        ("[pseudo]\nthreshold = 1.5\n", 2, "pseudo.threshold"),
    ] {
        let error = error(text);
        assert_eq!(error.key.as_deref(), Some(key), "{error}");
        assert_eq!(error.line, Some(line), "{error}");
        assert!(error.to_string().contains(key), "{error}");
    }
}

#[test]
fn words_are_those_of_serde() {
    for model in ModelName::ALL {
        assert_eq!(serde_json::to_value(model).unwrap(), model.as_str());
    }
    for policy in AugmentPolicy::ALL {
        assert_eq!(serde_json::to_value(policy).unwrap(), policy.as_str());
    }
}

#[test]
fn weights_are_sorted_by_their_form() {
    assert_eq!(weights_kind("none"), WeightsKind::None);
    assert_eq!(weights_kind("demo"), WeightsKind::Demo);
    assert_eq!(weights_kind("run:018f"), WeightsKind::Run("018f"));
    assert_eq!(weights_kind("timm/tf_efficientnet_lite0.in1k"), WeightsKind::Hub("timm/tf_efficientnet_lite0.in1k"));
    assert_eq!(weights_kind("timm/resnet34@main"), WeightsKind::Hub("timm/resnet34@main"));
    assert_eq!(weights_kind("hf:a/b.safetensors"), WeightsKind::Hub("a/b.safetensors"));
    for path in ["/a/b", "./a/b", "../b", "a/b/c", "a/b.safetensors", "weights.pth", "a/../b", "~/b"] {
        assert_eq!(weights_kind(path), WeightsKind::Path(path));
    }
}

#[test]
fn every_network_has_weights_on_the_hub() {
    let all: Vec<&str> = ModelName::ALL.iter().flat_map(|name| hub_models(*name)).collect();
    assert!(ModelName::ALL.iter().all(|name| hub_models(*name).next().is_some()));
    assert_eq!(all.len(), ALLOWED_HUB_MODELS.len());
    assert!(ALLOWED_HUB_MODELS.iter().all(|name| weights_kind(name) == WeightsKind::Hub(name)));
}

#[test]
fn erasing_follows_the_policy_where_it_is_not_given() {
    let erasing = |text: &str| RunConfig::from_toml(text).unwrap().augment.erasing_probability();
    assert_eq!(erasing(""), 0.0);
    assert_eq!(erasing("[augment]\npolicy = \"random-erasing\"\n"), 0.5);
    assert_eq!(erasing("[augment]\npolicy = \"random-erasing\"\nerasing = 0.2\n"), 0.2);
    assert_eq!(erasing("[augment]\npolicy = \"randaugment\"\nerasing = 0.2\n"), 0.2);
}
