import Foundation

/// The paths below `sql/` of this checkout.
func sqlFilesOnDisk(_ file: String = #filePath) throws -> Set<String> {
    let root = URL(filePath: file).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "sql")
    let folders = ["absurd", "absurd_swift", "roles"]
    return Set(
        try folders.flatMap { folder in
            try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path())
                .filter { $0.hasSuffix(".sql") }.map { "\(folder)/\($0)" }
        })
}
