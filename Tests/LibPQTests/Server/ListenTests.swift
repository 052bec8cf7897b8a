import TestSupport
import Testing

@testable import LibPQ

@Suite(.database(.empty), .timeLimit(.minutes(1)))
struct ListenTests {
    private func first(_ count: Int, of stream: AsyncStream<PostgresNotification>) async -> [String] {
        var payloads: [String] = []
        for await notification in stream {
            payloads.append(notification.payload)
            if payloads.count == count { break }
        }
        return payloads
    }

    @Test func `notifications come with channel, payload and sender`() async throws {
        let database = TestDatabase.current
        let (listener, sender) = (try await database.connect(), try await database.connect())
        try await listener.listen(to: "Odd \"channel\"")
        async let received = listener.notifications.first { _ in true }
        try await sender.query("select pg_notify('Odd \"channel\"', 'hello')")
        #expect(
            await received
                == PostgresNotification(
                    channel: "Odd \"channel\"", payload: "hello", backendPID: sender.backendPID))
    }

    @Test func `what arrives during statements is not lost`() async throws {
        let database = TestDatabase.current
        let listener = try await database.connect()
        try await listener.listen(to: "c")
        for number in 1...20 {
            try await listener.query("select pg_notify('c', $1)", [.text(String(number))])
        }
        #expect(await first(20, of: listener.notifications) == (1...20).map(String.init))
    }

    @Test func `a listening connection can be used, and listening goes on`() async throws {
        let database = TestDatabase.current
        let (listener, sender) = (try await database.connect(), try await database.connect())
        try await listener.listen(to: "c")
        async let received = first(100, of: listener.notifications)
        for number in 0..<100 {
            try await sender.query("select pg_notify('c', $1)", [.text(String(number))])
            #expect(try await listener.query("select 1").count == 1)
        }
        #expect(await received == (0..<100).map(String.init))
    }

    @Test func `the notifications end with the connection, whoever ends it`() async throws {
        let database = TestDatabase.current
        let (closed, killed) = (try await database.connect(), try await database.connect())
        for connection in [closed, killed] { try await connection.listen(to: "c") }
        async let ofClosed = first(1, of: closed.notifications)
        async let ofKilled = first(1, of: killed.notifications)
        await closed.close()
        try await database.wait(
            until: "select pg_terminate_backend($1::int)", [.int(Int64(killed.backendPID))])
        #expect(await ofClosed.isEmpty)
        #expect(await ofKilled.isEmpty)
        #expect(!killed.isUsable)
    }

    @Test func `cancelling the iterating task ends the iteration and leaves the connection usable`()
        async throws
    {
        let listener = try await TestDatabase.current.connect()
        try await listener.listen(to: "c")
        await withTaskGroup(of: Int.self) { group in
            group.addTask { await first(1, of: listener.notifications).count }
            group.cancelAll()
            #expect(await group.next() == 0)
        }
        #expect(try await listener.query("select 1").count == 1)
    }
}
