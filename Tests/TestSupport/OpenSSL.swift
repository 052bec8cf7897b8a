import Foundation
import Testing

/// Cancels a test that needs a server with TLS where the program `openssl`, which makes its certificate, is missing.
///
/// - Throws: an error that fails the test with `CI=true`.
package func requireOpenSSL() throws {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    if folders.contains(where: { FileManager.default.isExecutableFile(atPath: "\($0)/openssl") }) { return }
    guard !runsInCI else { throw MissingProgram(description: "openssl is not installed") }
    try Test.cancel("needs openssl: run make setup")
}

struct MissingProgram: Error, CustomStringConvertible {
    var description: String
}
