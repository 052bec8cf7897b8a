/// What `NOTIFY` sent to a channel that the connection listens to.
package struct PostgresNotification: Sendable, Hashable {
    package var channel: String
    package var payload: String
    /// The server process of the sender.
    package var backendPID: Int32
}
