import CAbsurdSQL

/// The SQL that this library needs, embedded in the program.
public enum AbsurdSchema {
    /// Which of the two schemas.
    public enum Part: String, Sendable, CaseIterable {
        /// Schema `absurd`: the tables and functions that all SDKs share.
        case base
        /// Schema `absurd_swift`: what this library adds, on our `absurd` or on the official one.
        case `extension`
    }

    /// The version that `absurd.get_schema_version()` answers when the base is ours.
    public static let baseVersion = "swift-0.5.1"

    /// The version of this library.
    package static let libraryVersion = "0.1.0"

    /// All statements in the order in which they are to be executed.
    ///
    /// Safe to execute again.
    public static func sql(_ parts: Part...) -> String {
        let wanted = parts.isEmpty ? Part.allCases : parts
        return wanted.flatMap { part in files(of: part).map(\.text) }.joined(separator: "\n")
    }

    /// Roles with no more rights than producers, workers, supervisors, operators and viewers need, as a script for the owner of the
    /// schemas; safe to execute again.
    ///
    /// Not part of ``sql(_:)``, since roles belong to the whole server. ``AbsurdClient/migrate()`` executes it again
    /// where it was executed before.
    public static let roles = allFiles.filter { $0.name.hasPrefix("roles/") }.map(\.text).joined(
        separator: "\n")

    package struct File: Sendable {
        /// The path below `sql/`.
        package let name: String
        package let text: String
    }

    package static func files(of part: Part) -> [File] {
        let folder = part == .base ? "absurd/" : "absurd_swift/"
        return allFiles.filter { $0.name.hasPrefix(folder) }
    }

    package static let allFiles: [File] = {
        var count = 0
        guard let rows = absurd_sql_files(&count) else { return [] }
        return UnsafeBufferPointer(start: rows, count: count).map { row in
            File(
                name: String(cString: row.name),
                text: String(decoding: UnsafeBufferPointer(start: row.text, count: row.length), as: UTF8.self)
            )
        }
    }()
}
