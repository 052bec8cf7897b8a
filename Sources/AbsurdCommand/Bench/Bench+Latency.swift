import Absurd
import Synchronization

/// How soon an idle worker is there: from the return of the call, which follows the commit before which nobody can begin, and
/// from the call itself.
extension Bench {
    /// From spawning to the start of the handler.
    ///
    /// - Parameter before: What happens before each spawn, and is not measured.
    func pickup(
        by spawner: AbsurdClient, _ before: @escaping @Sendable () async throws -> Void = {}
    ) async throws -> BenchFigure {
        let arrivals = Arrivals()
        let handler = Handler("picked-up") { context in
            arrivals.note(try context.params(as: [String: Int].self)["number"] ?? 0)
            return .complete
        }
        return try await latency([handler], arrivals, before: before) { number in
            _ = try await spawner.spawn("picked-up", params: ["number": .integer(Int64(number))], on: queue)
        }
    }

    /// The same while nobody listens: the server ends the connection that does, just before each spawn.
    func pickupCut(by spawner: AbsurdClient) async throws -> BenchFigure {
        try await pickup(by: spawner) {
            // Until the worker is armed, on its next connection.
            while try await value(
                """
                select count(pg_terminate_backend(pid)) from pg_locks
                 where locktype = 'advisory' and mode = 'ExclusiveLock' and granted
                   and database = (select oid from pg_database where datname = current_database())
                   and classid::bigint = absurd_swift.wake_class()::bigint & 4294967295
                   and objid::bigint = absurd_swift.wake_key('\(queue)')::bigint & 4294967295
                """, as: Int.self) == 0
            {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// From emitting to the handler that goes on.
    func resume(by emitter: AbsurdClient) async throws -> BenchFigure {
        let arrivals = Arrivals()
        let handler = Handler("resumed") { context in
            let number = try context.params(as: [String: Int].self)["number"] ?? 0
            try await context.awaitEvent("go \(number)")
            arrivals.note(number)
            return .complete
        }
        for number in 0..<settings.count {
            _ = try await client.spawn("resumed", params: ["number": .integer(Int64(number))], on: queue)
        }
        let count = settings.count
        return try await latency(
            [handler], arrivals,
            ready: {
                while try await value("select count(*) from \(table("w"))", as: Int.self) < count {
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
        ) { number in
            try await emitter.emitEvent("go \(number)", on: queue)
        }
    }

    /// With a client that has no worker, as a program of its own would have.
    func elsewhere(_ body: (AbsurdClient) async throws -> BenchFigure) async throws -> BenchFigure {
        try await withAbsurd(configuration, logger: .silent, body)
    }

    private func latency(
        _ handlers: [Handler], _ arrivals: Arrivals, ready: @escaping @Sendable () async throws -> Void = {},
        before: @escaping @Sendable () async throws -> Void = {},
        _ trigger: @escaping @Sendable (Int) async throws -> Void
    ) async throws -> BenchFigure {
        let count = settings.count
        let pool = try makePool(handlers)
        return try await running(pool) {
            try await ready()
            try await Task.sleep(for: .seconds(1))
            let usage = ProcessUsage()
            let start = ContinuousClock.now
            var (fromReturn, fromCall): ([Duration], [Duration]) = ([], [])
            for number in 0..<count {
                try await before()
                let called = ContinuousClock.now
                try await trigger(number)
                let returned = ContinuousClock.now
                let arrived = await arrivals.arrival(of: number)
                // A worker that is notified can be faster than the caller's own wake-up.
                fromReturn.append(max(.zero, arrived - returned))
                fromCall.append(arrived - called)
                // Long enough for the worker to be idle again.
                try await Task.sleep(for: .milliseconds(Int.random(in: 30...70)))
            }
            var percentiles = fromReturn.percentilesMs
            for (name, value) in fromCall.percentilesMs { percentiles["\(name)_from_call"] = value }
            return figure(count, seconds(since: start), unit: "tasks/s", usage, percentiles: percentiles)
        }
    }
}

/// When handlers have started, by number.
private final class Arrivals: Sendable {
    private struct State {
        var times: [Int: ContinuousClock.Instant] = [:]
        var waiting: [Int: CheckedContinuation<ContinuousClock.Instant, Never>] = [:]
    }
    private let state = Mutex(State())

    func note(_ number: Int) {
        let now = ContinuousClock.now
        let waiter = state.withLock { state in
            state.times[number] = now
            return state.waiting.removeValue(forKey: number)
        }
        waiter?.resume(returning: now)
    }

    func arrival(of number: Int) async -> ContinuousClock.Instant {
        await withCheckedContinuation { continuation in
            let time = state.withLock { state in
                if let time = state.times[number] { return time as ContinuousClock.Instant? }
                state.waiting[number] = continuation
                return nil
            }
            if let time { continuation.resume(returning: time) }
        }
    }
}
