import EphemeralPostgres
import LibPQ
import TestSupport
import Testing

/// Claims whose commit does not wait for the disk.
@Suite(.timeLimit(.minutes(10)))
struct RelaxedClaimTests {
    /// What the commit would wait for, at the end of a transaction with the given statements.
    private func synchronousCommit(
        _ queue: ExtensionQueue, _ body: (ExtensionQueue) async throws -> Void
    ) async throws -> String? {
        try await queue.connection.withTransaction { _ in
            try await body(queue)
            return try await queue.text("show synchronous_commit")
        }
    }

    @Test(arguments: QueueVariant.all)
    func `only the commit of a claim that asked for it is relaxed, and of nothing that came before`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.spawn(Array(repeating: "task", count: 4))
            let plain = try await synchronousCommit(queue) { _ = try await $0.claim(limit: 1) }
            #expect(plain == "on")
            let relaxed = try await synchronousCommit(queue) {
                let claims = try await $0.claim(limit: 1, isRelaxed: true)
                #expect(claims.count == 1)
            }
            #expect(relaxed == "off")
            #expect(try await queue.text("show synchronous_commit") == "on")
            let afterWrite = try await synchronousCommit(queue) {
                try await $0.spawn(["more"])
                let claims = try await $0.claim(limit: 1, isRelaxed: true)
                #expect(claims.count == 1)
            }
            #expect(afterWrite == "on")
        }
    }

    @Test(arguments: QueueVariant.all)
    func `what a sweep ends is as durable as ever`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            try await queue.spawn(["stale", "new"])
            _ = try await queue.claim(limit: 1, timeout: 30)
            try await queue.setClock("2030-01-01 10:01:00+00")
            let swept = try await synchronousCommit(queue) {
                let claims = try await $0.claim(limit: 1, isRelaxed: true)
                #expect(claims.count == 1)
            }
            #expect(swept == "on")
            #expect(try await queue.count("r", where: "state = 'failed'") == 1)
        }
    }

    @Test func `a claim that a crash has undone is refused, and spends no attempt`() async throws {
        var options = EphemeralPostgres.Options()
        // Nothing else writes the log in the meantime.
        options.configuration = ["wal_writer_delay = '10s'", "autovacuum = off"]
        try await EphemeralPostgres.withServer(options) { server in
            var queue = try await queue(on: server)
            for schema in ["absurd", "absurd_swift"] {
                for file in try SQLFiles.all(in: schema) { try await queue.connection.execute(script: file) }
            }
            try await queue.create("unpartitioned")
            let lost = try await undoneClaim(&queue, server)
            #expect(try await queue.checkpoint([(lost, "s", "1")]).map(\.answer) == ["lost"])
            #expect(try await queue.finish([.init(lost, "complete")]).map(\.answer) == ["lost"])
            let next = try #require(try await queue.claim(worker: "b").first)
            #expect(next.run == lost.run && next.attempt == 1)
            #expect(try await queue.finish([.init(next, "complete")]).map(\.answer) == ["done"])

            // Whatever is recorded under a claim makes the claim durable too.
            try await queue.spawn(["task"])
            let kept = try #require(try await queue.claim(worker: "a", isRelaxed: true).first)
            #expect(try await queue.checkpoint([(kept, "s", "1")]).map(\.answer) == ["stored"])
            await queue.connection.close()
            try await server.restart(.immediate)
            queue = try await self.queue(on: server)
            #expect(try await queue.finish([.init(kept, "complete")]).map(\.answer) == ["done"])
            await queue.connection.close()
        }
    }

    /// A claim that a crash has undone.
    ///
    /// Another try is made when the server has written its log before the crash, which it does every ten seconds.
    private func undoneClaim(
        _ queue: inout ExtensionQueue, _ server: EphemeralPostgres
    ) async throws -> ExtensionQueue.Claim {
        for _ in 1...10 {
            try await queue.spawn(["task"])
            let claim = try #require(try await queue.claim(worker: "a", isRelaxed: true).first)
            try await server.restart(.immediate)
            queue = try await self.queue(on: server)
            if try await queue.count("r", where: "state = 'pending' and started_at is null") == 1 {
                return claim
            }
            #expect(try await queue.finish([.init(claim, "complete")]).map(\.answer) == ["done"])
        }
        throw Crashes.undoNothing
    }

    private enum Crashes: Error { case undoNothing }

    private func queue(on server: EphemeralPostgres) async throws -> ExtensionQueue {
        let connection = try await PostgresConnection.connect(
            PostgresConfiguration(connectionString: server.connectionString), logger: .quiet)
        return ExtensionQueue(connection: connection, name: "q")
    }
}
