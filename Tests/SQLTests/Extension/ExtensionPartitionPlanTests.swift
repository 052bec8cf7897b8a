import Foundation
import LibPQ
import TestSupport
import Testing

/// What has a key is looked for in the one partition that the key is in.
@Suite(.timeLimit(.minutes(10)))
struct ExtensionPartitionPlanTests {
    private static let partitioned = QueueVariant.all.filter { $0.storageMode == "partitioned" }

    /// Only the claim looks into all of them, once, since what is due may be in any.
    @Test(arguments: partitioned, [false, true])
    func `spawns, claims, checkpoints, renewals and ends look into no other partition`(
        _ variant: QueueVariant, isPlanned: Bool
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.makeMissingIndexes()
            if isPlanned { try await queue.makeMissingFunctions() }
            // The partitions that are still empty then are the others.
            for isCounted in [false, true] {
                for size: Int64 in [1, 20] { try await expectScans(queue, size, isCounted: isCounted) }
            }
        }
    }

    private func expectScans(_ queue: ExtensionQueue, _ size: Int64, isCounted: Bool) async throws {
        func expect(_ most: Int, _ call: String, _ body: () async throws -> Void) async throws {
            let scans = try await queue.scansOfEmptyPartitions(body)
            if isCounted { #expect(scans <= most, "\(call) of \(size)") }
        }
        func keyed() -> [(name: String, options: String)] {
            (0..<size).map { _ in ("task", #"{"idempotency_key": "\#(UUID())"}"#) }
        }
        let rows = keyed()
        try await expect(0, "spawn") { _ = try await queue.spawnTogether(rows) }
        try await expect(0, "spawn again") { _ = try await queue.spawnTogether(rows) }
        let new = try await queue.newTasks(keyed().map { ($0.name, $0.options) })
        try await expect(0, "spawn_new") { _ = try await queue.spawnNew(new) }
        var claims: [ExtensionQueue.Claim] = []
        let partitions = try await queue.emptyPartitions(of: "r")
        if isCounted { #expect(partitions > 0) }
        try await expect(partitions, "claim") { claims = try await queue.claim(limit: size, sweeps: false) }
        try await expect(0, "checkpoint") {
            _ = try await queue.checkpoint(claims.map { ($0, "s", "1") }, renewing: 3600)
        }
        try await expect(0, "renew") { _ = try await queue.renew(claims, timeout: 7200) }
        try await expect(0, "load_checkpoints") {
            _ = try await queue.connection.query(
                "select * from absurd_swift.load_checkpoints('q', $1)", [.uuidArray(claims.map(\.run))])
        }
        try await expect(0, "await_event") {
            _ = try await queue.awaitEvent(claims.map { ($0, "w", "e \($0.run)") })
        }
        let more = try await queue.claim(limit: size)
        try await expect(0, "complete") { _ = try await queue.complete(more.map { ($0, "1") }) }
        _ = try await queue.cancel(claims.map(\.task))
    }
}

extension ExtensionQueue {
    func emptyPartitions(of table: String) async throws -> Int {
        try await connection.query(
            "select count(*) from pg_class where relname like $1 and relkind = 'r' and pg_relation_size(oid) = 0",
            [.text("\(table)\\_\(name)\\_%")])[0].decode(0)
    }

    /// How often tables and indexes of partitions were scanned in which there is nothing.
    func scansOfEmptyPartitions(_ body: () async throws -> Void) async throws -> Int {
        try await connection.withTransaction { transaction in
            func scans() async throws -> Int {
                try await transaction.query(
                    """
                    select coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0)::integer
                      from pg_stat_xact_user_tables
                     where schemaname = 'absurd' and relname ~ '^[trcw]_q_' and pg_relation_size(relid) = 0
                    """)[0].decode(0)
            }
            let before = try await scans()
            try await body()
            return try await scans() - before
        }
    }
}
