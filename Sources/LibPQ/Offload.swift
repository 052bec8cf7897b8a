import Dispatch
import Synchronization

/// Runs the few libpq calls that block (name resolution, files, the cancel request) away from the shared
/// pool.
///
/// Each gets a serial queue of its own, and so a thread: on Linux a concurrent queue shares the threads that Swift
/// tasks run on, which may all be busy.
enum Offload {
    private final class Box<Value: Sendable>: Sendable {
        let value = Mutex<Value?>(nil)
    }

    enum Outcome<Value: Sendable>: Sendable {
        case finished(Value)
        /// The wait ended first; `body` still runs to its end and its value is dropped.
        case deadlinePassed
        case cancelled
    }

    static func run<Value: Sendable>(
        _ readiness: Readiness,
        until deadline: ContinuousClock.Instant,
        isCancellable: Bool,
        _ body: @escaping @Sendable () -> Value
    ) async -> Outcome<Value> {
        let box = Box<Value>()
        let wakeup = await readiness.wait(until: deadline, isCancellable: isCancellable) { token in
            DispatchQueue(label: "libpq.blocking").async {
                let value = body()
                box.value.withLock { $0 = value }
                readiness.wake(token)
            }
        }
        if let value = box.value.withLock({ $0 }) { return .finished(value) }
        return wakeup == .cancelled ? .cancelled : .deadlinePassed
    }
}
