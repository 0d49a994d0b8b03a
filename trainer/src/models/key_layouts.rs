//! The tensor names that others use for the networks here.

use kenami_domain::run_config::ModelName;

use super::{Family, Normalisation, efficientnet::Size};

/// Who wrote a weights file, told by its tensor names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyLayout {
    /// The names of the networks here: timm's, which for ResNets are torchvision's and for DINOv2 those of its authors.
    Native,
    /// torchvision's `efficientnet_b*` and `convnext_tiny`.
    Torchvision,
    /// efficientnet-lite-pytorch's `_blocks.3._depthwise_conv.weight`: the demo's file, and runs of the first versions.
    LitePytorch,
    /// The ConvNeXt authors' `stages.0.0.dwconv.weight`.
    ConvNextAuthors,
}

impl KeyLayout {
    /// The layouts in which weights of a network come.
    pub fn of(name: ModelName) -> &'static [Self] {
        match Family::of(name) {
            Family::ResNet | Family::Dinov2 => &[Self::Native],
            Family::EfficientNetLite => &[Self::Native, Self::LitePytorch],
            Family::EfficientNet => &[Self::Native, Self::Torchvision],
            Family::ConvNext => &[Self::Native, Self::Torchvision, Self::ConvNextAuthors],
        }
    }

    /// The normalisation that weights of this layout were trained with, where the file does not say another.
    pub fn normalisation(self, name: ModelName) -> Normalisation {
        match (self, Family::of(name)) {
            (Self::LitePytorch, _) => Normalisation::LITE_PYTORCH,
            (_, Family::EfficientNetLite) => Normalisation::HALF,
            _ => Normalisation::IMAGENET,
        }
    }

    /// The layout's name for the tensor that `name` calls `native`.
    pub fn foreign(self, name: ModelName, native: &str) -> String {
        let words: Vec<&str> = native.split('.').collect();
        match (self, Family::of(name)) {
            (Self::Native, _) => native.to_owned(),
            (Self::Torchvision, Family::ConvNext) => torchvision_convnext(&words),
            (Self::Torchvision, _) => torchvision_efficientnet(name, &words),
            (Self::LitePytorch, _) => lite_pytorch(name, &words),
            (Self::ConvNextAuthors, _) => convnext_authors(&words),
        }
    }
}

/// `blocks.STAGE.NUMBER.LAYER...` taken apart; the layer as if every block had an expansion.
struct Block<'a> {
    stage: usize,
    number: usize,
    /// Whether the block begins with an expansion.
    expands: bool,
    /// `conv_pw`, `bn1` (expansion), `conv_dw`, `bn2` (depthwise), `conv_pwl`, `bn3` (projection), `se`.
    layer: &'a str,
    rest: &'a [&'a str],
}

impl<'a> Block<'a> {
    fn of(name: ModelName, words: &'a [&'a str]) -> Option<Self> {
        let ["blocks", stage, number, layer, rest @ ..] = words else { return None };
        let (stage, number): (usize, usize) = (stage.parse().ok()?, number.parse().ok()?);
        let expands = Size::of(name)?.stages.get(stage)?.expand != 1;
        let layer = match (*layer, expands) {
            ("bn1", false) => "bn2",
            ("conv_pw", false) => "conv_pwl",
            ("bn2", false) => "bn3",
            (layer, _) => layer,
        };
        Some(Self { stage, number, expands, layer, rest })
    }
}

/// efficientnet-lite-pytorch numbers blocks throughout and norms in order of use, from 0.
fn lite_pytorch(name: ModelName, words: &[&str]) -> String {
    let Some(block) = Block::of(name, words) else {
        let layer = match words[0] {
            "conv_stem" => "_conv_stem",
            "bn1" => "_bn0",
            "conv_head" => "_conv_head",
            _ => "_bn1",
        };
        return format!("{layer}.{}", words[1..].join("."));
    };
    let before: usize =
        Size::of(name).into_iter().flat_map(|size| size.stages).take(block.stage).map(|s| s.repeats).sum();
    let layer = match block.layer {
        "conv_pw" => "_expand_conv",
        "bn1" => "_bn0",
        "conv_dw" => "_depthwise_conv",
        "bn2" => "_bn1",
        "conv_pwl" => "_project_conv",
        _ => "_bn2",
    };
    format!("_blocks.{}.{layer}.{}", before + block.number, block.rest.join("."))
}

/// torchvision nests: `features.STAGE.NUMBER.block.STEP.{0: convolution, 1: norm}`, stem and head being stages as well.
fn torchvision_efficientnet(name: ModelName, words: &[&str]) -> String {
    let Some(block) = Block::of(name, words) else {
        let place = match words[0] {
            "conv_stem" => "0.0",
            "bn1" => "0.1",
            "conv_head" => "8.0",
            _ => "8.1",
        };
        return format!("features.{place}.{}", words[1..].join("."));
    };
    let shift = usize::from(block.expands);
    let step = match (block.layer, block.rest[0]) {
        ("conv_pw", _) => "0.0".to_owned(),
        ("bn1", _) => "0.1".to_owned(),
        ("conv_dw", _) => format!("{shift}.0"),
        ("bn2", _) => format!("{shift}.1"),
        ("se", "conv_reduce") => format!("{}.fc1", shift + 1),
        ("se", _) => format!("{}.fc2", shift + 1),
        ("conv_pwl", _) => format!("{}.0", shift + 2),
        _ => format!("{}.1", shift + 2),
    };
    let last = block.rest[block.rest.len() - 1];
    format!("features.{}.{}.block.{step}.{last}", block.stage + 1, block.number)
}

/// torchvision's ConvNeXt: halvings are stages of their own, between the stages of blocks.
fn torchvision_convnext(words: &[&str]) -> String {
    match words {
        ["stem", part, last] => format!("features.0.{part}.{last}"),
        ["head", "norm", last] => format!("classifier.0.{last}"),
        ["stages", stage, "downsample", part, last] => format!("features.{}.{part}.{last}", 2 * number(stage)),
        ["stages", stage, "blocks", block, rest @ ..] => {
            let place = format!("features.{}.{block}", 2 * number(stage) + 1);
            let step = match rest {
                ["gamma"] => return format!("{place}.layer_scale"),
                ["conv_dw", ..] => 0,
                ["norm", ..] => 2,
                ["mlp", "fc1", ..] => 3,
                _ => 5,
            };
            format!("{place}.block.{step}.{}", rest[rest.len() - 1])
        }
        _ => words.join("."),
    }
}

fn convnext_authors(words: &[&str]) -> String {
    match words {
        ["stem", part, last] => format!("downsample_layers.0.{part}.{last}"),
        ["head", "norm", last] => format!("norm.{last}"),
        ["stages", stage, "downsample", part, last] => format!("downsample_layers.{stage}.{part}.{last}"),
        ["stages", stage, "blocks", block, rest @ ..] => {
            let place = format!("stages.{stage}.{block}");
            let layer = match rest {
                ["gamma"] => return format!("{place}.gamma"),
                ["conv_dw", ..] => "dwconv",
                ["norm", ..] => "norm",
                ["mlp", "fc1", ..] => "pwconv1",
                _ => "pwconv2",
            };
            format!("{place}.{layer}.{}", rest[rest.len() - 1])
        }
        _ => words.join("."),
    }
}

fn number(word: &str) -> usize {
    word.parse().expect("a stage's number")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::models::parameters;

    #[test]
    fn names_of_others_are_found() {
        use KeyLayout::{ConvNextAuthors, LitePytorch, Torchvision};
        use ModelName::{ConvnextTiny, EfficientnetB0, EfficientnetLite0};
        for (layout, name, native, foreign) in [
            (LitePytorch, EfficientnetLite0, "conv_stem.weight", "_conv_stem.weight"),
            (LitePytorch, EfficientnetLite0, "bn1.running_var", "_bn0.running_var"),
            (LitePytorch, EfficientnetLite0, "blocks.0.0.conv_dw.weight", "_blocks.0._depthwise_conv.weight"),
            (LitePytorch, EfficientnetLite0, "blocks.0.0.bn1.bias", "_blocks.0._bn1.bias"),
            (LitePytorch, EfficientnetLite0, "blocks.0.0.conv_pw.weight", "_blocks.0._project_conv.weight"),
            (LitePytorch, EfficientnetLite0, "blocks.0.0.bn2.weight", "_blocks.0._bn2.weight"),
            (LitePytorch, EfficientnetLite0, "blocks.1.0.conv_pw.weight", "_blocks.1._expand_conv.weight"),
            (LitePytorch, EfficientnetLite0, "blocks.1.1.bn1.weight", "_blocks.2._bn0.weight"),
            (LitePytorch, EfficientnetLite0, "blocks.6.0.conv_pwl.weight", "_blocks.15._project_conv.weight"),
            (LitePytorch, EfficientnetLite0, "bn2.weight", "_bn1.weight"),
            (Torchvision, EfficientnetB0, "bn1.bias", "features.0.1.bias"),
            (Torchvision, EfficientnetB0, "blocks.0.0.conv_dw.weight", "features.1.0.block.0.0.weight"),
            (Torchvision, EfficientnetB0, "blocks.0.0.se.conv_reduce.bias", "features.1.0.block.1.fc1.bias"),
            (Torchvision, EfficientnetB0, "blocks.0.0.bn2.running_mean", "features.1.0.block.2.1.running_mean"),
            (Torchvision, EfficientnetB0, "blocks.1.1.se.conv_expand.weight", "features.2.1.block.2.fc2.weight"),
            (Torchvision, EfficientnetB0, "blocks.6.0.conv_pwl.weight", "features.7.0.block.3.0.weight"),
            (Torchvision, EfficientnetB0, "conv_head.weight", "features.8.0.weight"),
            (Torchvision, ConvnextTiny, "stages.0.blocks.0.gamma", "features.1.0.layer_scale"),
            (Torchvision, ConvnextTiny, "stages.3.blocks.2.mlp.fc2.bias", "features.7.2.block.5.bias"),
            (Torchvision, ConvnextTiny, "stages.1.downsample.1.weight", "features.2.1.weight"),
            (Torchvision, ConvnextTiny, "head.norm.weight", "classifier.0.weight"),
            (ConvNextAuthors, ConvnextTiny, "stages.2.blocks.8.conv_dw.weight", "stages.2.8.dwconv.weight"),
            (ConvNextAuthors, ConvnextTiny, "stem.1.bias", "downsample_layers.0.1.bias"),
        ] {
            assert_eq!(layout.foreign(name, native), foreign);
        }
    }

    #[test]
    fn no_two_tensors_share_a_name() {
        for name in ModelName::ALL {
            let parameters = parameters(*name);
            for layout in KeyLayout::of(*name) {
                let names: BTreeSet<_> = parameters.iter().map(|p| layout.foreign(*name, &p.name)).collect();
                assert_eq!(names.len(), parameters.len(), "{name} {layout:?}");
            }
        }
    }
}
