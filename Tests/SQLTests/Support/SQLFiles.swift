import Foundation
import TestSupport

/// The SQL as it stands in the repository.
enum SQLFiles {
    static func all(in schema: String) throws -> [String] {
        let folder = Repository.root.appending(path: "sql/\(schema)")
        return try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasSuffix(".sql") }
            .sorted()
            .map { try String(contentsOf: folder.appending(path: $0), encoding: .utf8) }
    }
}
