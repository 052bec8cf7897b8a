/// Runs `operation` to its end even when the current task is cancelled.
///
/// For the few things that must happen on the way out, such as recording a step that has taken effect. The new
/// task is awaited here, so nothing outlives the call; the operation bounds its own time.
package func finishingDespiteCancellation<Value: Sendable>(
    _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    // A child task would be cancelled with this one.
    try await Task { try await operation() }.value
}

/// Sleeps for the whole time even when the current task is cancelled.
package func sleepDespiteCancellation(for duration: Duration) async {
    // The inner task is never cancelled, so its sleep does not throw.
    try? await finishingDespiteCancellation { try await Task.sleep(for: duration) }
}
