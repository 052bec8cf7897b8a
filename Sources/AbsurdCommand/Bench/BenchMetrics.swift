import CoreMetrics
import Synchronization

/// A metrics backend that counts in memory, as an exporter that is scraped would.
///
/// Without one the metrics of the library cost nothing, and what is measured would not be what a service pays.
struct BenchMetrics: MetricsFactory {
    /// For the whole process, once.
    static let bootstrapped: Void = MetricsSystem.bootstrap(BenchMetrics())

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { Count() }

    func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler { Distribution() }

    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler { Level() }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { Distribution() }

    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyMeter(_ handler: any MeterHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}
}

private final class Count: CounterHandler {
    private let total = Atomic<Int64>(0)
    func increment(by amount: Int64) { total.add(amount, ordering: .relaxed) }
    func reset() { total.store(0, ordering: .relaxed) }
}

private final class Level: MeterHandler {
    private let value = Mutex(0.0)
    func set(_ value: Int64) { self.value.withLock { $0 = Double(value) } }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
}

/// How many values lie below each power of two.
private final class Distribution: RecorderHandler, TimerHandler {
    private let buckets = Mutex([Int](repeating: 0, count: 65))

    func recordNanoseconds(_ duration: Int64) { record(duration) }
    func record(_ value: Double) { record(Int64(value)) }

    func record(_ value: Int64) {
        buckets.withLock { $0[64 - max(value, 0).leadingZeroBitCount] += 1 }
    }
}
