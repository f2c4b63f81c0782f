//! What SQLite says of a fault, in words that an operator can act on.

use rusqlite::{Error, ErrorCode};

/// What went wrong.
pub(super) fn describe(error: &Error) -> String {
    let Error::SqliteFailure(code, message) = error else {
        return format!("what is in the database makes no sense: {error}");
    };
    match code.code {
        ErrorCode::DiskFull => "the disk is full".into(),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => "another program holds the database locked".into(),
        ErrorCode::ReadOnly => "the database can't be written: it or its file system is read-only".into(),
        ErrorCode::SystemIoFailure => format!("the disk reports an error (SQLite's {})", code.extended_code),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => "the database is damaged".into(),
        ErrorCode::CannotOpen => "the database or its journal can't be opened".into(),
        ErrorCode::PermissionDenied => "the database may not be written".into(),
        _ => message.clone().unwrap_or_else(|| error.to_string()),
    }
}

/// Whether the file is not as SQLite wrote it.
pub(super) fn is_damage(error: &Error) -> bool {
    // What is in it makes no sense, for SQLite or for us.
    let Some(code) = error.sqlite_error_code() else { return true };
    matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
}

/// Whether it is the world's fault and not that of what was asked: then the same happens to whatever else is asked.
pub(super) fn is_outside(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory
        )
    )
}
