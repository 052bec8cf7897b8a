import Absurd
import LibPQ
import Logging
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct WorkersTests {
    @Test func `workers are listed with what they do and how they are`() async throws {
        #expect(try await succeeding("workers").errors == "No worker is registered.\n")
        #expect(try await succeeding("workers", "--json").json == ["workers": []])
        let connection = try await TestDatabase.current.connect()
        try await connection.execute(
            script: """
                select absurd_swift.register('w1', 'orders', 'p1', 'host-a', 17, '1.4.0', 16, 2),
                  absurd_swift.register('w2', 'mail', 'p2', 'host-b', 18, '1.4.1', 8);
                -- Live however long the commands take.
                create or replace function absurd_swift.beat_window() returns interval language sql immutable
                as $$ select interval '1 hour' $$;
                update absurd_swift.workers set running = 3 where worker_id = 'w1';
                update absurd_swift.workers set beat_at = beat_at - interval '1 minute' where worker_id = 'w2';
                """)
        let lines = try await succeeding("workers").lines.map { $0.split(separator: " ").map(String.init) }
        #expect(lines.count == 3)
        #expect(lines[1].prefix(8) == ["w2", "mail", "host-b", "18", "1.4.1", "silent", "0/8", "0"])
        #expect(lines[2].prefix(8) == ["w1", "orders", "host-a", "17", "1.4.0", "live", "3/16", "2"])

        let list = try await succeeding("workers", "--queue", "orders", "--json").json["workers"]?.array ?? []
        #expect(list.count == 1)
        #expect(list[0]["worker_id"] == "w1")
        #expect(list[0]["queue"] == "orders")
        #expect(list[0]["process"] == "p1")
        #expect(list[0]["process_id"] == 17)
        #expect(list[0]["running"] == 3)
        #expect(list[0]["state"] == "live")
        #expect(list[0]["last_seen_at"]?.stringValue?.contains("T") == true)
    }
}
