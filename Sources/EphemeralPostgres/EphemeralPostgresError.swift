/// Why a private server could not be started, or did not do what it was asked to.
package struct EphemeralPostgresError: Error, Sendable, CustomStringConvertible {
    package struct Code: Hashable, Sendable {
        private enum Kind { case binariesMissing, noUnprivilegedUser, portTaken, serverFailed, ended }
        private let kind: Kind

        /// No folder with `postgres` and `initdb` was found.
        package static let binariesMissing = Code(kind: .binariesMissing)
        /// This process is root and there is no other user to run the server as.
        package static let noUnprivilegedUser = Code(kind: .noUnprivilegedUser)
        /// Something else listens on the port.
        package static let portTaken = Code(kind: .portTaken)
        /// The server did not start or stop as asked; the message ends with what it logged.
        package static let serverFailed = Code(kind: .serverFailed)
        /// The server had been stopped before.
        package static let ended = Code(kind: .ended)
    }

    package let code: Code
    /// What happened and what to do, in sentences for the person at the keyboard.
    package let message: String

    package var description: String { message }
}
