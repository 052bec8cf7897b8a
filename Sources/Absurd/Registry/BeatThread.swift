import Dispatch

/// A thread for the signs of life, beside the shared ones.
///
/// Code of the service that computes without a pause may occupy all shared threads. That is no death: claims may expire,
/// but nobody shall take the whole process for lost.
final class BeatThread: TaskExecutor {
    private let queue = DispatchQueue(label: "absurd.beat", qos: .userInitiated)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    /// Signals after a time.
    ///
    /// Sleeping tasks are woken on a shared thread first, so they are of no use here.
    func signal(_ changes: ChangeSignal, after delay: Duration) {
        queue.asyncAfter(deadline: .now() + .nanoseconds(Int(delay.inSeconds * 1e9))) { changes.signal() }
    }
}
