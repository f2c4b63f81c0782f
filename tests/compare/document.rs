//! The document whose tables are made here. What stands around them is written by people.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A document with places between `<!-- compare: NAME -->` and `<!-- compare: end -->`.
pub(crate) struct Document(Option<(PathBuf, String)>);

impl Document {
    /// The document at `path`, or none.
    ///
    /// # Errors
    /// Where it can't be read.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let read = |path: &Path| {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
            Ok::<_, io::Error>((path.to_owned(), text))
        };
        Ok(Self(path.map(read).transpose()?))
    }

    /// Prints what belongs in the place `name`, and puts it there at once: what was measured is kept, whatever comes.
    ///
    /// # Errors
    /// Where the document has no such place, or can't be written.
    pub(crate) fn put(&mut self, name: &str, what: &str) -> io::Result<()> {
        writeln!(io::stdout(), "{what}")?;
        let Some((path, text)) = &mut self.0 else { return Ok(()) };
        let (begin, end) = (format!("<!-- compare: {name} -->\n"), "<!-- compare: end -->");
        let place = text.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
        let Some((before, after)) = place else {
            return Err(io::Error::other(format!("{} has no place for {name:?}", path.display())));
        };
        *text = format!("{before}{begin}\n{}\n\n{end}{after}", what.trim_end());
        std::fs::write(path, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_stays() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let place = |name, what| format!("<!-- compare: {name} -->\n{what}<!-- compare: end -->\n");
        std::fs::write(file.path(), format!("a\n{}b\n{}c\n", place("x", ""), place("y", "\nold\n\n"))).unwrap();
        let mut document = Document::open(Some(file.path())).unwrap();
        document.put("y", "new\n").unwrap();
        document.put("x", "1\n2\n").unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, format!("a\n{}b\n{}c\n", place("x", "\n1\n2\n\n"), place("y", "\nnew\n\n")));
        assert!(document.put("z", "").unwrap_err().to_string().contains("no place for \"z\""));
    }

    #[test]
    fn the_document_of_the_repository_has_every_place() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs").join("performance.md");
        let text = std::fs::read_to_string(file).unwrap();
        let names = ["machine", "rows", "bar", "loops", "idle", "churn", "joining", "flat", "stalled", "profile"];
        for name in names {
            assert!(text.contains(&format!("<!-- compare: {name} -->\n")), "{name}");
        }
        assert_eq!(text.matches("<!-- compare: end -->").count(), names.len());
    }
}
