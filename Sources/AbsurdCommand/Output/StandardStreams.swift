import Foundation

/// Whoever read our output has gone, as `head` does when it has seen enough.
struct ReaderGone: Error {
    /// What shells report for a program that `SIGPIPE` ended, which is what happens where it is not ignored.
    static let status: Int32 = 141
}

/// Standard output takes nothing, for example because its disk is full.
struct OutputFailure: Error, CustomStringConvertible {
    let code: Int32
    var description: String { "the output could not be written: \(String(cString: strerror(code)))" }
}

/// Writes data: text for standard output, where nothing but data goes.
///
/// Unbuffered, so that a program that waits for a line gets it.
func show(_ text: String) throws {
    switch write(text + "\n", to: STDOUT_FILENO) {
    case 0: return
    case EPIPE: throw ReaderGone()
    case let code: throw OutputFailure(code: code)
    }
}

/// Says something to the person at the keyboard, on standard error.
func say(_ text: String) {
    // Nobody is there to be told that standard error is closed.
    _ = write(text + "\n", to: STDERR_FILENO)
}

/// - Returns: Zero, or the system's number of the error.
private func write(_ text: String, to descriptor: Int32) -> Int32 {
    let bytes = Array(text.utf8)
    var position = 0
    while position < bytes.count {
        let written = bytes[position...].withUnsafeBytes {
            Foundation.write(descriptor, $0.baseAddress, $0.count)
        }
        if written < 0 {
            if errno == EINTR { continue }
            return errno
        }
        position += written
    }
    return 0
}
