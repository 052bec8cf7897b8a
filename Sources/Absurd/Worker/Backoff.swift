/// Doubling pauses between attempts, with jitter so that many callers do not come back together.
package struct Backoff: Sendable {
    private let base: Duration
    private let cap: Duration
    private var failures = 0

    package init(base: Duration, cap: Duration) {
        self.base = base
        self.cap = cap
    }

    /// The pause after one more failure: between half and all of `base × 2^(failures - 1)`, at most the cap.
    package mutating func next() -> Duration {
        let pause = Self.pause(base: base, cap: cap, failures: failures)
        failures += 1
        return pause * Double.random(in: 0.5...1)
    }

    package mutating func reset() { failures = 0 }

    package static func pause(base: Duration, cap: Duration, failures: Int) -> Duration {
        // 2^40 of anything is beyond every cap, and the product does not overflow.
        min(cap, base * (1 << min(failures, 40)))
    }
}
