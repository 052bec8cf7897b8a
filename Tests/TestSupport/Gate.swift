import Synchronization

/// Lets so many through at once, first come first served.
///
/// Eight are twice what a small machine's cores can do, which keeps both of them at work while tests wait; more at
/// once only make each of them slower. They share the server's 300 connections.
final class Gate: Sendable {
    static let tests = Gate(8)
    static let databases = Gate(8)

    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    init(_ places: Int) {
        state = Mutex(State(free: places))
    }

    func withTurn<Result>(_ body: () async throws -> Result) async throws -> Result {
        await enter()
        defer { leave() }
        return try await body()
    }

    private func enter() async {
        await withCheckedContinuation { continuation in
            let mayEnter = state.withLock { state in
                guard state.free > 0 else {
                    state.waiting.append(continuation)
                    return false
                }
                state.free -= 1
                return true
            }
            if mayEnter { continuation.resume() }
        }
    }

    private func leave() {
        // A place is handed on directly, so that nobody who comes later overtakes.
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.waiting.isEmpty else {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
