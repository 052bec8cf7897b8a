import Foundation

/// The operating system's user that the server runs as.
struct ServerAccount {
    var userID: UInt32
    var groupID: UInt32
    /// Nil for an id that has no entry among the system's users.
    var name: String?

    /// Nil when this process is an ordinary user, who runs the server themselves.
    ///
    /// Root hands over to the owner of an existing data directory, else to `postgres`, which the packages of
    /// the server make, else to `nobody`, which every system has.
    static func forServer(dataDirectory: String?) throws -> ServerAccount? {
        guard getuid() == 0 else { return nil }
        if let dataDirectory, let owner = owner(of: dataDirectory), owner.userID != 0 {
            return owner
        }
        guard let account = named("postgres") ?? named("nobody") else {
            throw EphemeralPostgresError(
                code: .noUnprivilegedUser,
                message: "Postgres refuses to run as root, and this system has neither a user postgres nor a "
                    + "user nobody to run it as. Make one with: useradd --system postgres")
        }
        return account
    }

    private static func owner(of path: String) -> ServerAccount? {
        // Missing is the usual case: initdb will make it.
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
            let user = attributes[.ownerAccountID] as? NSNumber,
            let group = attributes[.groupOwnerAccountID] as? NSNumber
        else { return nil }
        let name = attributes[.ownerAccountName] as? String
        return ServerAccount(userID: user.uint32Value, groupID: group.uint32Value, name: name)
    }

    private static func named(_ name: String) -> ServerAccount? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16 * 1024)
        guard getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        return ServerAccount(userID: entry.pw_uid, groupID: entry.pw_gid, name: name)
    }
}
