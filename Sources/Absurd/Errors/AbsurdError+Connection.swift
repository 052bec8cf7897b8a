import LibPQ

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What to do about a connection that could not be made.
extension AbsurdError {
    static let urlForm = "postgresql://user:password@host:5432/database"

    private static let escapes =
        "characters such as @ : / % in a password are written %40 %3A %2F %25"

    private static var isAddressSet: Bool {
        ProcessInfo.processInfo.environment["ABSURD_DATABASE_URL"]?.isEmpty == false
    }

    private static func addressRemedy() -> String {
        isAddressSet ? "correct ABSURD_DATABASE_URL" : addressMissing
    }

    /// For a program that was told no address.
    package static let addressMissing =
        "set ABSURD_DATABASE_URL, or run the program under absurd dev -- PROGRAM"

    static func accountRemedy() -> String {
        isAddressSet
            ? "correct them in ABSURD_DATABASE_URL, or where they are not in it, PGUSER and PGPASSWORD"
            : "set PGUSER and PGPASSWORD, or both in ABSURD_DATABASE_URL"
    }

    static func connectionRemedy(_ fault: ConnectionFault?) -> String {
        switch fault {
        case .encryption: "correct sslmode and what belongs to it in ABSURD_DATABASE_URL, or set PGSSLMODE"
        case .escaping: "start it, or correct ABSURD_DATABASE_URL, where \(escapes)"
        case .setting, .service, nil: "start it, or \(addressRemedy())"
        }
    }

    static func formRemedy(_ fault: ConnectionFault?) -> String {
        switch fault {
        case .service: "add the service to the file with services, or correct PGSERVICE"
        case .escaping: "write it as \(urlForm), where \(escapes)"
        case .setting, .encryption, nil: "write it as \(urlForm)"
        }
    }

    /// The command stands at the end of the line, to be copied.
    static func databaseMissing(_ target: ConnectionTarget?) -> String {
        guard let target else {
            return "the server has no database of that name; create it with 'createdb', or \(addressRemedy())"
        }
        return "the server at \(target.host), port \(target.port), has no database '\(target.database)'; "
            + "\(addressRemedy()), or create it: \(target.createdb)"
    }
}

extension ConnectionTarget {
    fileprivate var createdb: String {
        "createdb -h \(quotedForShell(host)) -p \(quotedForShell(port)) -U \(quotedForShell(user)) "
            + shellWord(database)
    }
}
