#if os(Linux)
import CLibPQ
import Glibc

extension Readiness {
    /// One thread in `epoll_wait`.
    ///
    /// Each wait arms its descriptor for one event. Nothing needs disarming: an event whose token nobody
    /// waits for any more is ignored, and closing a descriptor removes it from the set.
    struct Poller: Sendable {
        private let epoll: Int32
        /// Written to make the thread compute its timeout again.
        private let wakeup: Int32

        /// The token that stands for `wakeup`; waits count from one.
        private static let wakeupToken: UInt64 = 0

        init() throws {
            epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
            guard epoll >= 0 else { throw Self.failure("epoll_create1") }
            wakeup = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
            guard wakeup >= 0 else {
                let error = Self.failure("eventfd")
                close(epoll)
                throw error
            }
            var event = unsafe epoll_event(events: EPOLLIN.rawValue, data: epoll_data(u64: Self.wakeupToken))
            _ = unsafe epoll_ctl(epoll, EPOLL_CTL_ADD, wakeup, &event)
        }

        func start(for readiness: Readiness) throws {
            let context = unsafe Unmanaged.passRetained(Loop(poller: self, readiness: readiness))
            var thread = pthread_t()
            let status = unsafe pthread_create(
                &thread, nil,
                { context in
                    guard let context = unsafe context else { return nil }
                    // Signals are for the threads that expect them.
                    var signals = sigset_t()
                    unsafe sigfillset(&signals)
                    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
                    let loop = unsafe Unmanaged<Loop>.fromOpaque(context).takeRetainedValue()
                    loop.poller.run(loop.readiness)
                },
                context.toOpaque())
            guard status == 0 else {
                unsafe context.release()
                close(wakeup)
                close(epoll)
                throw Self.failure("pthread_create")
            }
            pthread_detach(thread)
        }

        /// Returns false when the descriptor cannot be watched.
        func arm(_ descriptor: Int32, _ interest: Interest, _ token: Token) -> Bool {
            var events = EPOLLONESHOT.rawValue
            if interest.contains(.readable) { events |= EPOLLIN.rawValue | EPOLLRDHUP.rawValue }
            if interest.contains(.writable) { events |= EPOLLOUT.rawValue }
            var event = unsafe epoll_event(events: events, data: epoll_data(u64: token.number))
            if unsafe epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event) == 0 { return true }
            guard errno == ENOENT else { return false }
            // The first wait on this descriptor, or libpq has closed and opened the same number.
            return unsafe epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0
        }

        func disarm(_ token: Token, then done: () -> Void) {
            done()
        }

        func scheduleExpiry(at instant: ContinuousClock.Instant) {
            _ = eventfd_write(wakeup, 1)
        }

        private func run(_ readiness: Readiness) -> Never {
            var events = unsafe [epoll_event](repeating: epoll_event(), count: 64)
            var expiry: ContinuousClock.Instant?
            while true {
                let count = unsafe epoll_wait(
                    epoll, &events, Int32(events.count), Self.milliseconds(until: expiry))
                var mustLook = false
                for index in 0..<Int(max(count, 0)) {
                    let number = unsafe events[index].data.u64
                    if number == Self.wakeupToken {
                        mustLook = true
                        var value: eventfd_t = 0
                        _ = unsafe eventfd_read(wakeup, &value)
                    } else {
                        readiness.becameReady(Token(number: number))
                    }
                }
                let now = ContinuousClock.now
                if mustLook || expiry.map({ $0 <= now }) ?? false { expiry = readiness.expire(now: now) }
            }
        }

        /// Rounded up, so that the thread does not spin through the last millisecond.
        private static func milliseconds(until expiry: ContinuousClock.Instant?) -> Int32 {
            guard let expiry else { return -1 }
            let left = ContinuousClock.now.duration(to: expiry)
            guard left > .zero else { return 0 }
            return Int32(clamping: Int64((left / .milliseconds(1)).rounded(.up)))
        }

        private static func failure(_ call: String) -> PostgresError {
            let reason = unsafe String(cString: strerror(errno))
            return PostgresError(.connectionFailed, "cannot watch connections: \(call): \(reason)")
        }
    }

    /// What the thread needs, in a box that fits through a C pointer.
    private final class Loop: Sendable {
        let poller: Poller
        let readiness: Readiness

        init(poller: Poller, readiness: Readiness) {
            self.poller = poller
            self.readiness = readiness
        }
    }
}
#endif
