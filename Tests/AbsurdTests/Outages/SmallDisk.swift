import Foundation
import Subprocess
import Testing

/// A file system in memory that a test can fill.
struct SmallDisk: Sendable {
    let path: String

    /// - Throws: cancels the test where file systems cannot be mounted.
    static func mount(at path: String) async throws -> SmallDisk {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        #if os(Linux)
        let isMounted = try? await run(
            .name("mount"), arguments: ["-t", "tmpfs", "-o", "size=200m,mode=755", "tmpfs", path],
            output: .discarded, error: .discarded
        ).terminationStatus.isSuccess
        #else
        let isMounted: Bool? = false
        #endif
        guard isMounted == true else {
            try? FileManager.default.removeItem(atPath: path)
            try Test.cancel("a full disk needs a small file system, and this user may not mount one")
        }
        return SmallDisk(path: path)
    }

    func unmount() async {
        // What is left of the server may be writing still; a lazy unmount lets it end.
        _ = try? await run(.name("umount"), arguments: ["-l", path], output: .discarded, error: .discarded)
    }

    private var ballast: String { path + "/ballast" }

    /// Writes until nothing goes in any more.
    func fill() throws {
        _ = FileManager.default.createFile(atPath: ballast, contents: nil)
        let file = try FileHandle(forWritingTo: URL(filePath: ballast))
        for size in [1 << 20, 1 << 12] {
            let bytes = Data(count: size)
            while (try? file.write(contentsOf: bytes)) != nil {}
        }
        try file.close()
    }

    func free() throws { try FileManager.default.removeItem(atPath: ballast) }
}
