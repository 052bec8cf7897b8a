import Absurd
import Synchronization

/// Lets a worker execute one run, once, while a turn is on, and whatever it likes otherwise.
///
/// A test can then look at what one execution has left behind: a short timeout may be over before the worker is
/// stopped, and the worker would go on with the task that another one is to resume.
final class Turn: Sendable {
    private enum Phase { case none, free, taken, over }

    private struct State {
        var phase = Phase.none
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var hooks: Hooks {
        var hooks = Hooks()
        hooks.aroundExecution = { [self] context, execute in
            // Held until the worker is stopped, which cancels it and gives the run back.
            guard enter() else { return try await Task.sleep(for: .seconds(3600)) }
            do {
                try await execute()
            } catch {
                await holdSlot(of: context)
                throw error
            }
            await holdSlot(of: context)
        }
        return hooks
    }

    func taken(_ body: () async throws -> Void) async throws {
        state.withLock { $0.phase = .free }
        defer { state.withLock { $0.phase = .none } }
        try await body()
    }

    /// The test has seen what it waited for.
    func end() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            state.phase = .over
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func enter() -> Bool {
        state.withLock { state in
            guard state.phase == .free else { return state.phase == .none }
            state.phase = .taken
            return true
        }
    }

    /// Keeps a worker with one slot from claiming again after a suspension, until the turn ends.
    private func holdSlot(of context: TaskContext) async {
        guard context.phase == .ended(.suspended) else { return }
        await withCheckedContinuation { continuation in
            let waits = state.withLock { state in
                guard state.phase == .taken else { return false }
                state.waiting.append(continuation)
                return true
            }
            if !waits { continuation.resume() }
        }
    }
}
