#if !os(Linux)
import Dispatch

extension Readiness {
    /// Dispatch sources, each for one event.
    ///
    /// `@unchecked Sendable`: everything mutable is only touched on `queue`.
    final class Poller: @unchecked Sendable {
        private let queue = DispatchQueue(label: "libpq.readiness")
        private var sources: [Token: [any DispatchSourceProtocol]] = [:]
        private weak var readiness: Readiness?
        /// Tells the timer that counts from those it replaced.
        private var lastTimer = 0

        init() throws {}

        func start(for readiness: Readiness) throws {
            queue.sync { self.readiness = readiness }
        }

        func arm(_ descriptor: Int32, _ interest: Interest, _ token: Token) -> Bool {
            queue.async {
                var sources: [any DispatchSourceProtocol] = []
                if interest.contains(.readable) {
                    sources.append(
                        DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: self.queue))
                }
                if interest.contains(.writable) {
                    sources.append(
                        DispatchSource.makeWriteSource(fileDescriptor: descriptor, queue: self.queue))
                }
                self.sources[token] = sources
                for source in sources {
                    source.setEventHandler { [weak self] in self?.readiness?.becameReady(token) }
                    source.activate()
                }
            }
            return true
        }

        /// Calls `done` when no source looks at the descriptor any more: only then may it be closed.
        func disarm(_ token: Token, then done: @escaping @Sendable () -> Void) {
            queue.async {
                let cancelled = DispatchGroup()
                for source in self.sources.removeValue(forKey: token) ?? [] {
                    cancelled.enter()
                    source.setCancelHandler { cancelled.leave() }
                    source.cancel()
                }
                cancelled.notify(queue: self.queue, execute: done)
            }
        }

        func scheduleExpiry(at instant: ContinuousClock.Instant) {
            queue.async {
                self.lastTimer += 1
                let timer = self.lastTimer
                let delay = max(0, ContinuousClock.now.duration(to: instant) / .seconds(1))
                self.queue.asyncAfter(deadline: .now() + delay) {
                    guard timer == self.lastTimer else { return }
                    if let next = self.readiness?.expire(now: .now) { self.scheduleExpiry(at: next) }
                }
            }
        }
    }
}
#endif
