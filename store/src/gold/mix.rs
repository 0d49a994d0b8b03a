//! Gold photos among those that an annotator claims.

use kenami_domain::gold;
use sqlx::{PgConnection, PgExecutor};

use crate::{
    error::{Error, Result},
    queue::Place,
};

/// The next photos of an annotator in order: gold ones by id, none where the queue is to give one.
pub(crate) struct Plan(Vec<Option<i64>>);

impl Plan {
    /// `count` photos from the queue.
    pub(crate) fn none(count: usize) -> Self {
        Self(vec![None; count])
    }

    /// Plans `count` photos for an annotator who has `held` in hand. The annotator is locked.
    pub(crate) async fn make(
        connection: &mut PgConnection,
        annotator_id: i64,
        place: &Place,
        held: usize,
        count: usize,
    ) -> Result<Self> {
        let mut plan = vec![None; count];
        if place.gold_rate <= 0.0 {
            return Ok(Self(plan));
        }
        let finished = match place.finished {
            Some(finished) => finished,
            None => begin(connection, annotator_id).await?,
        };
        let first = u64::try_from(finished.max(0)).map_err(Error::internal)? + held as u64;
        let due: Vec<usize> =
            (0..count).filter(|at| gold::is_due(annotator_id, first + *at as u64, place.gold_rate)).collect();
        if !due.is_empty() {
            let photos = unseen(connection, annotator_id, due.len()).await?;
            due.into_iter().zip(photos).for_each(|(at, photo)| plan[at] = Some(photo));
        }
        Ok(Self(plan))
    }

    /// Photos to ask the queue for: one more than are needed where gold comes last, to know whether work goes on behind it.
    pub(crate) fn asked_of_queue(&self) -> usize {
        self.0.iter().filter(|photo| photo.is_none()).count() + usize::from(matches!(self.0.last(), Some(Some(_))))
    }

    /// The plan with the queue's photos in their places, and which of them are gold. Where the queue has no more it ends with
    /// the last of these: gold alone is not work.
    pub(crate) fn fill(self, queue: Vec<i64>) -> (Vec<i64>, Vec<bool>) {
        let dry = queue.len() < self.asked_of_queue();
        let mut queue = queue.into_iter();
        let next = |gold: Option<i64>| gold.map(|photo| (photo, true)).or_else(|| Some((queue.next()?, false)));
        let mut filled: Vec<(i64, bool)> = self.0.into_iter().map_while(next).collect();
        while dry && filled.pop_if(|(_, gold)| *gold).is_some() {}
        filled.into_iter().unzip()
    }
}

/// Counts an annotator's photos from here on; how many they have had since.
async fn begin(connection: &mut PgConnection, annotator_id: i64) -> Result<i64> {
    sqlx::query!("UPDATE annotators SET gold_from = photos_done WHERE id = $1", annotator_id)
        .execute(connection)
        .await?;
    Ok(0)
}

/// Gold photos that the annotator has not seen, in an order of their own, that ask nobody for votes any more: who answers
/// one as gold can give it no vote.
async fn unseen(connection: &mut PgConnection, annotator_id: i64, limit: usize) -> Result<Vec<i64>> {
    Ok(sqlx::query_file_scalar!(
        "queries/gold_unseen.sql",
        annotator_id,
        i64::try_from(limit).map_err(Error::internal)?
    )
    .fetch_all(connection)
    .await?)
}

/// How many [`unseen`] has in all.
pub(crate) async fn count_unseen(db: impl PgExecutor<'_>, annotator_id: i64) -> Result<i64> {
    let all = sqlx::query_file_scalar!("queries/gold_unseen.sql", annotator_id, i64::MAX).fetch_all(db).await?;
    i64::try_from(all.len()).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gold_ends_with_the_work() {
        let plan = || Plan(vec![None, Some(8), None, Some(9)]);
        assert_eq!(plan().asked_of_queue(), 3);
        assert_eq!(plan().fill(vec![1, 2, 3]), (vec![1, 8, 2, 9], vec![false, true, false, true]));
        assert_eq!(plan().fill(vec![1, 2]), (vec![1, 8, 2], vec![false, true, false]));
        assert_eq!(plan().fill(vec![1]), (vec![1], vec![false]));
        assert_eq!(plan().fill(vec![]), (vec![], vec![]));
        let alone = Plan(vec![Some(8)]);
        assert_eq!((alone.asked_of_queue(), alone.fill(vec![1])), (1, (vec![8], vec![true])));
        assert_eq!(Plan(vec![None, None]).fill(vec![1]), (vec![1], vec![false]));
    }
}
