import Absurd
import LibPQ
import TestSupport
import Testing

/// A worker's writes that the server cancels for its time limit.
@Suite(.database(.migrated), .timeLimit(.minutes(5)))
struct SlowWriteTests {
    @Test func `rows that take longer than a statement may are refused, and keep no others waiting`()
        async throws
    {
        let slow = Handler("slow") { context in
            do {
                try await context.step("slow") { 1 }
                return .complete("stored")
            } catch let error as AbsurdError where error.code == .timedOut {
                return .complete("refused")
            }
        }
        let quick = Handler("quick") { context in
            for number in 0..<3 { try await context.step("step \(number)") { number } }
            return .complete
        }
        try await withEngine([slow, quick], configuration: { $0.statementTimeout = .seconds(5) }) { engine in
            _ = try await engine.rows(
                """
                create function public.dawdle() returns trigger language plpgsql as
                  'begin perform pg_sleep(3600); return new; end'
                """)
            _ = try await engine.rows(
                """
                create trigger dawdle before insert on absurd.c_default for each row
                  when (new.checkpoint_name = 'slow') execute function public.dawdle()
                """)
            // More than go alone at a time.
            let held = try await engine.client.spawnMany(
                (0..<5).map { _ in try SpawnRequest("slow", params: nil) })
            let others = try await engine.client.spawnMany(
                (0..<10).map { _ in try SpawnRequest("quick", params: nil) })
            for task in others { _ = try await task.result(timeout: .seconds(60)) }
            for task in held { #expect(try await task.result(timeout: .seconds(120)) == "refused") }
        }
    }
}
