import Foundation

/// Whoever read our output has gone, as `head` does when it has seen enough.
struct ReaderGone: Error {
    /// What shells report for a program that `SIGPIPE` ended, which is what happens where it is not ignored.
    static let status: Int32 = 141
}

/// Writes data: text for standard output, where nothing but data goes.
///
/// Unbuffered, so that a program that waits for a line gets it.
func show(_ text: String) throws {
    guard write(text + "\n", to: STDOUT_FILENO) else { throw ReaderGone() }
}

/// Says something to the person at the keyboard, on standard error.
func say(_ text: String) {
    // Nobody is there to be told that standard error is closed.
    _ = write(text + "\n", to: STDERR_FILENO)
}

private func write(_ text: String, to descriptor: Int32) -> Bool {
    let bytes = Array(text.utf8)
    var position = 0
    while position < bytes.count {
        let written = bytes[position...].withUnsafeBytes {
            Foundation.write(descriptor, $0.baseAddress, $0.count)
        }
        if written < 0 {
            if errno == EINTR { continue }
            return false
        }
        position += written
    }
    return true
}
