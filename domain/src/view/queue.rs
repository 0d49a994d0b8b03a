//! The order in which photos are given to annotators.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Which open photos come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum QueueOrder {
    /// In the order in which they were imported.
    #[default]
    Order,
    /// Those whose answers the latest run spreads most: entropy over its maximum, mean over the attributes.
    Entropy,
    /// Those where the latest run's two best answers lie closest: 1 - (p1 - p2), mean over the attributes.
    Margin,
    /// Those whose standing votes the latest run believes least: 1 - p(vote), mean over the votes.
    Disagreement,
    /// Those of the values of the first given attribute (breeds) that have fewest finished photos, in turn.
    Balance,
}

impl QueueOrder {
    /// All orders, in the order in which they are offered.
    pub const ALL: [Self; 5] = [Self::Order, Self::Entropy, Self::Margin, Self::Disagreement, Self::Balance];

    /// The order's name as in the database and REST.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Entropy => "entropy",
            Self::Margin => "margin",
            Self::Disagreement => "disagreement",
            Self::Balance => "balance",
        }
    }

    /// Whether it follows the latest run's predictions.
    pub fn follows_model(self) -> bool {
        matches!(self, Self::Entropy | Self::Margin | Self::Disagreement)
    }
}

impl fmt::Display for QueueOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an order: choose order, entropy, margin, disagreement or balance")]
pub struct UnknownOrder(pub String);

impl FromStr for QueueOrder {
    type Err = UnknownOrder;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|order| order.as_str() == word).ok_or_else(|| UnknownOrder(word.to_owned()))
    }
}

/// What putting the queue in order anew did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reordered {
    /// Photos that have another place now; nothing where it takes longer and goes on by itself.
    pub changed: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_they_are_written() {
        for order in QueueOrder::ALL {
            assert_eq!(order.as_str().parse(), Ok(order));
            assert_eq!(serde_json::to_value(order).unwrap(), order.as_str());
        }
        assert!("random".parse::<QueueOrder>().unwrap_err().to_string().contains("`random`"));
    }
}
