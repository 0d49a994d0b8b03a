//! TensorBoard's event files: scalars over steps.
//!
//! A file is a row of records: the data's length (u64), its masked checksum (u32), the data, its masked checksum (u32), all
//! little-endian. The checksum is CRC-32C, masked by a rotation and a constant (TFRecord). The data is an `Event` of
//! TensorFlow's protocol buffers (event.proto, summary.proto).

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use kenami_domain::metrics::CurveRow;
use prost::Message;

use crate::{
    error::{Error, Result},
    files::write_atomically,
};

/// TensorBoard takes files whose name holds `tfevents`.
const FILE: &str = "events.out.tfevents.kenami";
const VERSION: &str = "brain.Event:2";
const CASTAGNOLI: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);

#[derive(Clone, PartialEq, Message)]
struct EventRecord {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<SummaryValue>,
}

#[derive(Clone, PartialEq, Message)]
struct SummaryValue {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// One point of a curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// The curve's name; TensorBoard groups by what stands before its first `/`.
    pub tag: String,
    /// Where on the curve.
    pub step: u64,
    /// How high; kept in single precision.
    pub value: f32,
    /// Seconds since 1970.
    pub wall_time: f64,
}

/// Writes scalars to the event file of a folder.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Writer {
    /// Begins the folder's event file anew; the folder is made if it is not there.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).map_err(Error::io(dir))?;
        Self::with(dir.join(FILE), &[])
    }

    /// Goes on with the folder's event file: points up to `step` stay, later ones, which a resumed run makes again, and a
    /// record that was broken off are dropped.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn resume(dir: &Path, step: u64) -> Result<Self> {
        let path = dir.join(FILE);
        if !path.exists() {
            return Self::create(dir);
        }
        let kept: Vec<Scalar> = read(&path)?.into_iter().filter(|scalar| scalar.step <= step).collect();
        Self::with(path, &kept)
    }

    fn with(path: PathBuf, scalars: &[Scalar]) -> Result<Self> {
        let began = scalars.first().map_or_else(now, |scalar| scalar.wall_time);
        write_atomically(&path, |file| {
            let version = Some(VERSION.to_owned());
            file.write_all(&record(&EventRecord { wall_time: began, step: 0, file_version: version, summary: None }))?;
            scalars.iter().try_for_each(|scalar| file.write_all(&record(&event(scalar.clone()))))
        })?;
        let file = File::options().append(true).open(&path).map_err(Error::io(&path))?;
        Ok(Self { path, file: BufWriter::new(file) })
    }

    /// Appends a point; it is in the file after [`Self::flush`]. `wall_time` counts seconds since 1970.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f64, wall_time: f64) -> Result<()> {
        let scalar = Scalar { tag: tag.to_owned(), step, value: value as f32, wall_time };
        self.file.write_all(&record(&event(scalar))).map_err(Error::io(&self.path))
    }

    /// Appends an epoch's rows of the curves, `HEAD/loss` of split `train` as `HEAD/loss/train`, and flushes.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn rows(&mut self, rows: &[CurveRow]) -> Result<()> {
        let now = now();
        for row in rows {
            self.scalar(&format!("{}/{}", row.series, row.split), u64::from(row.epoch), row.value, now)?;
        }
        self.flush()
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(Error::io(&self.path))
    }

    /// The event file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The scalars of an event file, as far as it is whole.
///
/// # Errors
/// The file cannot be read, or a whole record's checksum or message is wrong.
pub fn read(path: &Path) -> Result<Vec<Scalar>> {
    let bytes = fs::read(path).map_err(Error::io(path))?;
    let damaged = |at: usize| Error::Run(format!("{} is damaged at byte {at}", path.display()));
    let (mut scalars, mut at) = (Vec::new(), 0);
    while let Some(header) = bytes.get(at..at + 12) {
        let (length, check) = header.split_at(8);
        if checksum(length) != number(check) {
            return Err(damaged(at));
        }
        let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
        let end = usize::try_from(length).ok().and_then(|length| length.checked_add(at + 12));
        let Some(rest) = end.and_then(|end| bytes.get(at + 12..end.checked_add(4)?)) else { break };
        let (data, check) = rest.split_at(rest.len() - 4);
        if checksum(data) != number(check) {
            return Err(damaged(at));
        }
        let event = EventRecord::decode(data).map_err(|_| damaged(at))?;
        for value in event.summary.unwrap_or_default().value {
            if let Some(height) = value.simple_value {
                let step = u64::try_from(event.step).unwrap_or(0);
                scalars.push(Scalar { tag: value.tag, step, value: height, wall_time: event.wall_time });
            }
        }
        at += 16 + data.len();
    }
    Ok(scalars)
}

fn event(scalar: Scalar) -> EventRecord {
    let step = i64::try_from(scalar.step).unwrap_or(i64::MAX);
    let value = vec![SummaryValue { tag: scalar.tag, simple_value: Some(scalar.value) }];
    EventRecord { wall_time: scalar.wall_time, step, file_version: None, summary: Some(Summary { value }) }
}

fn record(event: &EventRecord) -> Vec<u8> {
    let data = event.encode_to_vec();
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(checksum(&length).to_le_bytes());
    record.extend(&data);
    record.extend(checksum(&data).to_le_bytes());
    record
}

/// A checksum of data that holds checksums is weak: TFRecord masks it.
fn checksum(data: &[u8]) -> u32 {
    CASTAGNOLI.checksum(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("four bytes"))
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What tests/fixtures/tensorboard_file.py, which uses the package tensorboard, writes for one version record and the
    /// points ("breed/loss/train", 1, 0.75, 1700000000.5) and ("lr/train", 300, 0.001, 1700000001.0).
    const WRITTEN_BY_TENSORBOARD: &[u8] = include_bytes!("../tests/fixtures/events.out.tfevents.fixture");

    fn points() -> Vec<Scalar> {
        let point = |tag: &str, step, value, wall_time| Scalar { tag: tag.to_owned(), step, value, wall_time };
        vec![point("breed/loss/train", 1, 0.75, 1_700_000_000.5), point("lr/train", 300, 0.001, 1_700_000_001.0)]
    }

    fn write(writer: &mut Writer, points: &[Scalar]) {
        for point in points {
            writer.scalar(&point.tag, point.step, f64::from(point.value), point.wall_time).unwrap();
        }
        writer.flush().unwrap();
    }

    #[test]
    fn the_bytes_are_those_of_tensorboard() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fixture");
        fs::write(&path, WRITTEN_BY_TENSORBOARD).unwrap();
        assert_eq!(read(&path).unwrap(), points());

        let mut writer = Writer::create(dir.path()).unwrap();
        write(&mut writer, &points());
        let ours = fs::read(writer.path()).unwrap();
        // The first record tells when the file was made.
        let first = 16 + usize::from(ours[0]);
        assert_eq!(first, 16 + usize::from(WRITTEN_BY_TENSORBOARD[0]));
        assert_eq!(ours[first..], WRITTEN_BY_TENSORBOARD[first..]);
    }

    #[test]
    fn a_resumed_run_goes_on_after_its_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::resume(&dir.path().join("new"), 3).unwrap();
        for step in 1..=5 {
            writer.scalar("a/b", step, step as f64, 10.0).unwrap();
        }
        writer.flush().unwrap();
        let path = writer.path().to_owned();
        // Killed in the middle of a record.
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 7);
        fs::write(&path, bytes).unwrap();
        assert_eq!(read(&path).unwrap().len(), 4);

        let mut writer = Writer::resume(&dir.path().join("new"), 3).unwrap();
        let row = CurveRow { epoch: 4, split: "train".into(), series: "a/b".into(), value: 7.0 };
        writer.rows(&[row]).unwrap();
        let values: Vec<_> =
            read(&path).unwrap().into_iter().map(|point| (point.tag, point.step, point.value)).collect();
        let expected = [("a/b", 1, 1.0), ("a/b", 2, 2.0), ("a/b", 3, 3.0), ("a/b/train", 4, 7.0)];
        assert_eq!(values, expected.map(|(tag, step, value)| (tag.to_owned(), step, value)));
        Writer::create(&dir.path().join("new")).unwrap();
        assert_eq!(read(&path).unwrap(), []);
    }

    #[test]
    fn damage_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path()).unwrap();
        write(&mut writer, &points());
        let path = writer.path().to_owned();
        let whole = fs::read(&path).unwrap();
        for at in [3, 9, 20, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            assert!(read(&path).unwrap_err().to_string().contains("damaged"), "{at}");
        }
    }
}
