// Catch2 in either of its major versions. LibTorch's logging defines a CHECK of its own; in a test, CHECK is Catch's.
#pragma once

#ifdef CHECK
#undef CHECK
#endif

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#include <string>
using Catch::Approx;
namespace Catch {  // by their names in version 2
using Matchers::ContainsSubstring;
using Matchers::StartsWith;
inline auto Contains(const std::string& part) { return ContainsSubstring(part); }
}  // namespace Catch
#else
#include <catch2/catch.hpp>
#endif
