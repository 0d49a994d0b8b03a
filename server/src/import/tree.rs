//! Walking over a folder of photos.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use super::LayoutError;
use crate::imaging::Format;

/// No sane set of photos is nested deeper; a loop of links is.
const MAX_DEPTH: usize = 16;

/// The files below a folder, sorted by their path.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Pictures by their name: path from the folder with `/`, and the file.
    pub pictures: Vec<(String, PathBuf)>,
    /// Other files, by path from the folder.
    pub others: Vec<String>,
}

impl Listing {
    /// One sentence about the files that are no pictures, if there are any.
    pub fn note(&self) -> Option<String> {
        let first = self.others.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        match self.others.len() {
            0 => None,
            1 => Some(format!("{first} is no photo by its name and was left out")),
            n @ 2..=5 => Some(format!("{n} files are no photos by their names and were left out: {first}")),
            n => Some(format!("{n} files are no photos by their names and were left out: {first}, ...")),
        }
    }
}

/// Lists `folder` and what is below it; hidden files and folders are passed over.
pub(super) fn list(folder: &Path) -> Result<Listing, LayoutError> {
    let mut listing = Listing::default();
    descend(folder, "", 0, &mut listing)?;
    listing.pictures.sort_by(|a, b| natural(&a.0).cmp(&natural(&b.0)).then_with(|| a.0.cmp(&b.0)));
    listing.others.sort();
    Ok(listing)
}

fn descend(folder: &Path, prefix: &str, depth: usize, listing: &mut Listing) -> Result<(), LayoutError> {
    if depth > MAX_DEPTH {
        return Err(LayoutError::Missing(format!("{}: nested more than {MAX_DEPTH} deep", folder.display())));
    }
    for entry in fs::read_dir(folder).map_err(|error| LayoutError::read(folder, error))? {
        let entry = entry.map_err(|error| LayoutError::read(folder, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "__MACOSX" {
            continue;
        }
        let relative = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let path = entry.path();
        // Follows links: a folder of links to photos is a folder of photos. A dead link is listed and reported later.
        match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => descend(&path, &relative, depth + 1, listing)?,
            Ok(meta) if !meta.is_file() => listing.others.push(relative),
            _ if is_picture_name(&relative) => listing.pictures.push((relative, path)),
            _ => listing.others.push(relative),
        }
    }
    Ok(())
}

/// Whether the name promises a picture, in a format that is read or not.
pub(super) fn is_picture_name(name: &str) -> bool {
    const OTHERS: [&str; 9] = ["gif", "bmp", "tif", "tiff", "heic", "heif", "avif", "jxl", "jfif"];
    let extension = Path::new(name).extension().and_then(|e| e.to_str()).unwrap_or_default();
    Format::from_extension(extension).is_some() || OTHERS.contains(&extension.to_ascii_lowercase().as_str())
}

/// `a2` before `a10`: runs of digits compare by value.
fn natural(text: &str) -> Vec<(String, u64)> {
    let mut parts = vec![(String::new(), 0_u64)];
    let mut in_digits = false;
    for c in text.chars() {
        match c.to_digit(10) {
            Some(digit) => {
                let last = parts.last_mut().expect("never empty");
                last.1 = last.1.saturating_mul(10).saturating_add(u64::from(digit));
                in_digits = true;
            }
            None => {
                if in_digits {
                    parts.push((String::new(), 0));
                    in_digits = false;
                }
                parts.last_mut().expect("never empty").0.push(c);
            }
        }
    }
    parts
}

/// A path from an upload or a table as a path below a folder; none where it would lead outside or names nothing.
pub fn safe_relative(path: &str) -> Option<PathBuf> {
    let path = path.replace('\\', "/");
    if path.contains('\0') || path.len() > 1024 || path.starts_with('/') || path.as_bytes().get(1) == Some(&b':') {
        return None;
    }
    let mut safe = PathBuf::new();
    for component in Path::new(&path).components() {
        match component {
            Component::Normal(part) => safe.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!safe.as_os_str().is_empty()).then_some(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_their_folder() {
        assert_eq!(safe_relative("a/./b.jpg"), Some(PathBuf::from("a/b.jpg")));
        assert_eq!(safe_relative("a\\b.jpg"), Some(PathBuf::from("a/b.jpg")));
        for bad in ["", ".", "/etc/passwd", "../x.jpg", "a/../../x.jpg", "C:\\x.jpg", "a\0b", "..\\x"] {
            assert_eq!(safe_relative(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn numbers_sort_by_value() {
        let mut names = ["pug_10.jpg", "pug_9.jpg", "beagle_100.jpg", "pug_1.jpg"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["beagle_100.jpg", "pug_1.jpg", "pug_9.jpg", "pug_10.jpg"]);
    }
}
