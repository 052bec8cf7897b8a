import Instrumentation
package import ServiceContextModule
import Tracing

/// Carries the tracing context of the producer in a task's headers to the handler.
package enum TracingHeaders {
    /// Whether the program has set up anything that looks at spans or carries their context.
    ///
    /// Asking costs as much as a span that nobody records, so it is not asked for each run.
    package static var isTracing: Bool {
        !(InstrumentationSystem.tracer is NoOpTracer && InstrumentationSystem.instrument is NoOpInstrument)
    }

    /// Adds the current context, if there is one.
    ///
    /// Headers that the caller set are kept.
    package static func inject(into headers: inout [String: JSONValue]) {
        guard let context = ServiceContext.current else { return }
        var carrier = headers
        InstrumentationSystem.instrument.inject(context, into: &carrier, using: HeaderInjector())
        headers = carrier
    }

    package static func extract(from headers: [String: JSONValue]) -> ServiceContext {
        var context = ServiceContext.current ?? .topLevel
        InstrumentationSystem.instrument.extract(headers, into: &context, using: HeaderExtractor())
        return context
    }
}

private struct HeaderInjector: Injector {
    func inject(_ value: String, forKey key: String, into headers: inout [String: JSONValue]) {
        if headers[key] == nil { headers[key] = .string(value) }
    }
}

private struct HeaderExtractor: Extractor {
    func extract(key: String, from headers: [String: JSONValue]) -> String? {
        headers[key]?.stringValue
    }
}
