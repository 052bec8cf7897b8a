/// Takes out of a failing history what it fails without: halves, then quarters, down to single calls.
///
/// - Parameter fails: Whether a history fails; asked at most `attempts` times.
func shrink<Element>(
    _ history: [Element], attempts: Int = 400, whileFailing fails: ([Element]) async throws -> Bool
) async throws -> [Element] {
    var history = history
    var attempts = attempts
    var size = max(history.count / 2, 1)
    while true {
        var start = 0
        var hasShrunk = false
        while start < history.count, attempts > 0 {
            attempts -= 1
            let end = min(start + size, history.count)
            let candidate = Array(history[..<start] + history[end...])
            if try await fails(candidate) {
                history = candidate
                hasShrunk = true
            } else {
                start = end
            }
        }
        if attempts == 0 || (size == 1 && !hasShrunk) { return history }
        if size > 1 { size /= 2 }
    }
}
