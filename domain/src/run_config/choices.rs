//! The words that a configuration may use.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An enum whose variants are words of the configuration, with `ALL`, `as_str` and `Display`.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// All choices, in the order in which they are offered.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word in the configuration.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// The trunk: the network up to its pooled features.
    ModelName {
        /// EfficientNet-Lite0.
        #[default]
        EfficientnetLite0 = "efficientnet_lite0",
        /// EfficientNet-Lite1.
        EfficientnetLite1 = "efficientnet_lite1",
        /// EfficientNet-Lite2.
        EfficientnetLite2 = "efficientnet_lite2",
        /// EfficientNet-B0.
        EfficientnetB0 = "efficientnet_b0",
        /// EfficientNet-B1.
        EfficientnetB1 = "efficientnet_b1",
        /// EfficientNet-B2.
        EfficientnetB2 = "efficientnet_b2",
        /// EfficientNet-B3.
        EfficientnetB3 = "efficientnet_b3",
        /// EfficientNet-B4.
        EfficientnetB4 = "efficientnet_b4",
        /// ResNet-18.
        Resnet18 = "resnet18",
        /// ResNet-34.
        Resnet34 = "resnet34",
        /// ResNet-50.
        Resnet50 = "resnet50",
        /// ResNet-101.
        Resnet101 = "resnet101",
        /// ResNet-152.
        Resnet152 = "resnet152",
        /// Wide ResNet-50-2.
        WideResnet50 = "wide_resnet50_2",
        /// ResNeXt-50 32x4d.
        Resnext50 = "resnext50_32x4d",
        /// ConvNeXt-Tiny.
        ConvnextTiny = "convnext_tiny",
        /// DINOv2 ViT-S/14.
        Dinov2Vits14 = "dinov2_vits14",
    }
}

words! {
    /// The part of the network that is trained.
    TrainPart {
        /// The heads, on cached features of the frozen trunk.
        #[default]
        Heads = "heads",
        /// The trunk's last stage and the heads.
        LastStage = "last-stage",
        /// Everything.
        All = "all",
    }
}

words! {
    /// Spatial attention on the last feature map.
    Attention {
        /// Plain average pooling.
        #[default]
        None = "none",
        /// One mask.
        Single = "single",
        /// Several masks.
        Multi = "multi",
    }
}

words! {
    /// A head's loss.
    LossName {
        /// Cross entropy with the (soft, smoothed) target.
        #[default]
        CrossEntropy = "cross-entropy",
        /// Kullback-Leibler divergence of the prediction from the target: cross entropy less the target's entropy.
        Kl = "kl",
        /// Binary cross entropy per value on logits, averaged over the values.
        Bce = "bce",
    }
}

words! {
    /// Where the expected distribution of an attribute comes from.
    PriorSource {
        /// The dataset's table (breed standards).
        #[default]
        Table = "table",
        /// Mean target per given value in the training part.
        Train = "train",
    }
}

words! {
    /// The rule by which weights move.
    OptimizerName {
        /// Stochastic gradient descent with momentum.
        #[default]
        Sgd = "sgd",
        /// Adam with weight decay added to the gradient.
        Adam = "adam",
        /// Adam with decoupled weight decay.
        AdamW = "adamw",
    }
}

words! {
    /// The shape of the learning rate over the steps.
    ScheduleName {
        /// Up along a cosine, then down along a cosine.
        #[default]
        OneCycle = "one-cycle",
        /// Always the same.
        Constant = "constant",
        /// Times gamma every few epochs.
        Step = "step",
        /// Down along half a cosine.
        Cosine = "cosine",
        /// Down along half a cosine, again and again.
        CosineRestarts = "cosine-restarts",
        /// Times gamma where the validation loss no longer falls.
        Plateau = "plateau",
    }
}

words! {
    /// What happens to a training photo.
    AugmentPolicy {
        /// Random resized crop and horizontal flip.
        #[default]
        Basic = "basic",
        /// As in evaluation.
        None = "none",
        /// Basic, then a random rectangle erased.
        RandomErasing = "random-erasing",
        /// AutoAugment's ImageNet policy.
        AutoAugment = "autoaugment",
        /// Fast AutoAugment's published policy.
        FastAutoAugment = "fast-autoaugment",
        /// RandAugment.
        RandAugment = "randaugment",
        /// TrivialAugmentWide.
        TrivialAugment = "trivialaugment",
    }
}

words! {
    /// What a head sees of a photo's votes.
    Votes {
        /// Their shares, every epoch.
        #[default]
        Distribution = "distribution",
        /// One vote drawn from the shares, another every epoch.
        Sampled = "sampled",
    }
}

words! {
    /// How the heads' losses are weighed against each other.
    Weighting {
        /// By `heads.X.weight` alone.
        #[default]
        Fixed = "fixed",
        /// Also by a learned uncertainty per head (Kendall, Gal and Cipolla 2018).
        Learned = "learned",
    }
}

words! {
    /// Which photos make up a batch.
    SamplerKind {
        /// Every photo once an epoch, in random order.
        #[default]
        Shuffle = "shuffle",
        /// P classes, K photos of each.
        Pk = "pk",
        /// Every class as often as every other; its photos in random order.
        Balanced = "balanced",
    }
}

words! {
    /// The validation figure by which a run stops or keeps weights.
    StopMetric {
        /// Higher is better.
        #[default]
        Accuracy = "accuracy",
        /// Lower is better.
        Loss = "loss",
    }
}

words! {
    /// Where a trained network runs.
    Compute {
        /// The first graphics processor that the build can use and that is there, else the processor.
        #[default]
        Auto = "auto",
        /// The processor.
        Cpu = "cpu",
        /// The first NVIDIA graphics processor.
        Cuda = "cuda",
        /// Apple's graphics processor.
        Metal = "metal",
    }
}

words! {
    /// Which weights a run leaves.
    Keep {
        /// Those of the last step.
        #[default]
        Last = "last",
        /// Those of the epoch with the best validation figure.
        Best = "best",
    }
}

words! {
    /// How much each photo of the auxiliary set counts.
    AuxiliaryWeight {
        /// All alike.
        #[default]
        None = "none",
        /// By its similarity to the target set.
        Similarity = "similarity",
    }
}

/// The margin of the triplet loss.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum TripletMargin {
    /// `ln(1 + exp(d_positive - d_negative))`: no margin to choose. Written `"soft"`.
    #[default]
    Soft,
    /// `max(m + d_positive - d_negative, 0)`. Written as a number.
    Hard(f64),
}

impl Serialize for TripletMargin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Soft => serializer.serialize_str("soft"),
            Self::Hard(margin) => serializer.serialize_f64(*margin),
        }
    }
}

impl<'de> Deserialize<'de> for TripletMargin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MarginVisitor)
    }
}

/// Written by hand as [`TargetsVisitor`] is.
struct MarginVisitor;

impl de::Visitor<'_> for MarginVisitor {
    type Value = TripletMargin;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"soft\" or a number")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<TripletMargin, E> {
        if word == "soft" {
            return Ok(TripletMargin::Soft);
        }
        Err(E::invalid_value(de::Unexpected::Str(word), &self))
    }

    fn visit_f64<E>(self, margin: f64) -> Result<TripletMargin, E> {
        Ok(TripletMargin::Hard(margin))
    }

    fn visit_i64<E>(self, margin: i64) -> Result<TripletMargin, E> {
        Ok(TripletMargin::Hard(margin as f64))
    }

    fn visit_u64<E>(self, margin: u64) -> Result<TripletMargin, E> {
        Ok(TripletMargin::Hard(margin as f64))
    }
}

/// What a head learns where several annotators and a prior speak: `t = (n v + k p) / (n + k)` with the photo's vote
/// shares `v`, its number of votes `n` and the expected distribution `p` of its breed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Targets {
    /// The photo's own votes (k = 0).
    #[default]
    Instance,
    /// The expected distribution alone (k = infinity).
    Class,
    /// Between the two: `{ shrink = k }`.
    Shrink(f64),
}

impl Serialize for Targets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Instance => serializer.serialize_str("instance"),
            Self::Class => serializer.serialize_str("class"),
            Self::Shrink(shrink) => Shrink { shrink: *shrink }.serialize(serializer),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shrink {
    shrink: f64,
}

impl<'de> Deserialize<'de> for Targets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TargetsVisitor)
    }
}

/// Written by hand: serde's untagged enums lose the position and the reason of an error.
struct TargetsVisitor;

impl<'de> de::Visitor<'de> for TargetsVisitor {
    type Value = Targets;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"instance\", \"class\" or { shrink = NUMBER }")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Targets, E> {
        match word {
            "instance" => Ok(Targets::Instance),
            "class" => Ok(Targets::Class),
            other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Targets, A::Error> {
        let Shrink { shrink } = Shrink::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(if shrink == f64::INFINITY { Targets::Class } else { Targets::Shrink(shrink) })
    }
}
