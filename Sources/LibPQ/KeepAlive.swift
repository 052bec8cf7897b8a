import CLibPQ

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Makes a dead peer noticeable within half a minute, where the user has not decided otherwise.
///
/// Set on the socket instead of in the connection string, because a default there would override what a
/// service file says.
func setKeepAlive(of socket: Int32, options: [String: String]) {
    /// Fails on a Unix-domain socket, which needs none of this, so the result does not matter.
    func set(_ name: Int32, _ value: Int32) {
        _ = unsafe withUnsafeBytes(of: value) { value in
            unsafe setsockopt(socket, Int32(IPPROTO_TCP), name, value.baseAddress, socklen_t(value.count))
        }
    }
    guard options["keepalives"] != "0" else { return }
    #if canImport(Darwin)
    if options["keepalives_idle"] == nil { set(TCP_KEEPALIVE, 15) }
    #else
    if options["keepalives_idle"] == nil { set(TCP_KEEPIDLE, 15) }
    // Bounds how long sent data may stay unacknowledged, where keep-alives do not look.
    if options["tcp_user_timeout"] == nil { set(TCP_USER_TIMEOUT, 30_000) }
    #endif
    if options["keepalives_interval"] == nil { set(TCP_KEEPINTVL, 5) }
    if options["keepalives_count"] == nil { set(TCP_KEEPCNT, 3) }
}
