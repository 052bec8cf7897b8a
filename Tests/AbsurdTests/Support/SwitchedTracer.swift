import InMemoryTracing
import Instrumentation
import ServiceContextModule
import Tracing

/// A tracer that records all spans and adds headers only where a test switches that on.
///
/// The tracing system of a process can be set once, and tests of other suites compare headers.
struct SwitchedTracer: Tracer {
    @TaskLocal static var injects = false

    let base: InMemoryTracer

    func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> InMemorySpan {
        base.startSpan(
            operationName, context: context(), ofKind: kind, at: instant(), function: function, file: fileID,
            line: line)
    }

    func forceFlush() { base.forceFlush() }

    func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {
        base.extract(carrier, into: &context, using: extractor)
    }

    func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
        guard Self.injects else { return }
        base.inject(context, into: &carrier, using: injector)
    }
}
