//! The tensor names that others use, and the one that the networks here use.

use std::collections::BTreeMap;

use super::Variant;

/// Who wrote a weights file, told by its tensor names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyLayout {
    /// efficientnet-lite-pytorch, and the demo's file.
    Native,
    /// timm's `tf_efficientnet_lite*`.
    Timm,
}

impl KeyLayout {
    /// The layout that has a tensor of this name, if one is known.
    pub(super) fn detect<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<Self> {
        names.find_map(|name| match name {
            "_conv_stem.weight" => Some(Self::Native),
            "conv_stem.weight" => Some(Self::Timm),
            _ => None,
        })
    }

    /// Mean and deviation of pixel values (0 to 255) that the weights were trained with.
    pub(super) fn normalisation(self) -> (f32, f32) {
        match self {
            Self::Native => (127.0, 128.0),
            Self::Timm => (127.5, 127.5),
        }
    }

    /// Foreign name for each native tensor name of `variant`.
    pub(super) fn names(self, variant: &Variant) -> BTreeMap<String, String> {
        let native = variant.tensors().into_iter().map(|(name, _)| name);
        match self {
            Self::Native => native.map(|name| (name.clone(), name)).collect(),
            Self::Timm => native.map(|name| (name.clone(), timm_name(variant, &name))).collect(),
        }
    }
}

/// timm's name of a native tensor: blocks are numbered within stages, norms in order of use.
fn timm_name(variant: &Variant, native: &str) -> String {
    let Some((number, part)) = native.strip_prefix("_blocks.").and_then(|rest| rest.split_once('.')) else {
        let replaced = native.replacen("_bn1.", "bn2.", 1).replacen("_bn0.", "bn1.", 1);
        return replaced.trim_start_matches('_').to_owned();
    };
    let mut index: usize = number.parse().expect("a block's number");
    let mut stage = 0;
    for repeats in variant.repeats() {
        if index < repeats {
            break;
        }
        index -= repeats;
        stage += 1;
    }
    let (layer, tensor) = part.split_once('.').expect("layer.tensor");
    let expands = variant.expands(stage);
    let layer = match (layer, expands) {
        ("_expand_conv", _) => "conv_pw",
        ("_depthwise_conv", _) => "conv_dw",
        ("_project_conv", true) => "conv_pwl",
        ("_project_conv", false) => "conv_pw",
        ("_bn0", _) | ("_bn1", false) => "bn1",
        ("_bn1", true) | ("_bn2", false) => "bn2",
        ("_bn2", true) => "bn3",
        _ => layer,
    };
    format!("blocks.{stage}.{index}.{layer}.{tensor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timm_names_are_told_from_native_ones() {
        let names = KeyLayout::Timm.names(&Variant::LITE0);
        for (native, timm) in [
            ("_conv_stem.weight", "conv_stem.weight"),
            ("_bn0.running_var", "bn1.running_var"),
            ("_blocks.0._depthwise_conv.weight", "blocks.0.0.conv_dw.weight"),
            ("_blocks.0._bn1.bias", "blocks.0.0.bn1.bias"),
            ("_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"),
            ("_blocks.0._bn2.weight", "blocks.0.0.bn2.weight"),
            ("_blocks.1._expand_conv.weight", "blocks.1.0.conv_pw.weight"),
            ("_blocks.2._bn0.weight", "blocks.1.1.bn1.weight"),
            ("_blocks.15._project_conv.weight", "blocks.6.0.conv_pwl.weight"),
            ("_blocks.15._bn2.running_mean", "blocks.6.0.bn3.running_mean"),
            ("_conv_head.weight", "conv_head.weight"),
            ("_bn1.weight", "bn2.weight"),
        ] {
            assert_eq!(names[native], timm);
        }
        let distinct: std::collections::BTreeSet<_> = names.values().collect();
        assert_eq!(distinct.len(), names.len());
    }
}
