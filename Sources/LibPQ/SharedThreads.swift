/// Runs code of the library so that it goes on without the threads that its caller prefers.
///
/// For what others wait for too, such as a lent connection or a statement that carries several callers' rows: whoever has
/// sent it must not have to wait for a thread, behind handlers that compute, before the answer is taken.
package func onSharedThreads<Value>(_ body: () async throws -> Value) async rethrows -> Value {
    guard unsafe withUnsafeCurrentTask(body: { unsafe $0?.unownedTaskExecutor != nil }) else {
        return try await body()
    }
    return try await withTaskExecutorPreference(globalConcurrentExecutor) { try await body() }
}
