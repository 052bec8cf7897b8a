import LibPQ
import TestSupport
import Testing

/// A place where `absurd_swift` has to do the same: one of the two schemas, one of the two storage modes.
struct QueueVariant: Sendable, CustomTestStringConvertible {
    var contents: DatabaseTrait.Contents
    var storageMode: String

    static let all = [DatabaseTrait.Contents.migrated, .official].flatMap { contents in
        ["unpartitioned", "partitioned"].map { QueueVariant(contents: contents, storageMode: $0) }
    }
    /// For what does not touch the storage mode.
    static let unpartitioned = all.filter { $0.storageMode == "unpartitioned" }

    var inOtherMode: QueueVariant {
        QueueVariant(
            contents: contents, storageMode: storageMode == "partitioned" ? "unpartitioned" : "partitioned")
    }

    var testDescription: String { "\(contents), \(storageMode)" }

    /// Runs `body` with a queue of this kind in a database of its own.
    func withQueue(_ body: (ExtensionQueue) async throws -> Void) async throws {
        try await TestDatabase.with(contents) {
            let queue = ExtensionQueue(connection: try await TestDatabase.current.connect(), name: "q")
            try await queue.create(storageMode)
            try await body(queue)
        }
    }
}
