// Several values of different types: the noise levels and the weights of combine().
#pragma once

#include <cstddef>
#include <tuple>
#include <utility>

namespace fewstep {

namespace detail {

template <std::size_t k, class T>
struct PackElement {
  T value;
};
template <class K, class... T>
struct PackElements;
template <std::size_t... k, class... T>
struct PackElements<std::index_sequence<k...>, T...> : PackElement<k, T>... {};

}  // namespace detail

/// Values, or references, of different types, like std::tuple, which takes several times as long to compile.
template <class... T>
struct Pack : detail::PackElements<std::index_sequence_for<T...>, T...> {
  constexpr Pack(T... values)
      : detail::PackElements<std::index_sequence_for<T...>, T...>{{std::forward<T>(values)}...} {}
};

namespace detail {

/// The number of elements of a Pack, a std::tuple or a std::array.
template <class P>
inline constexpr std::size_t pack_size = std::tuple_size_v<P>;
template <class... T>
inline constexpr std::size_t pack_size<Pack<T...>> = sizeof...(T);

/// Element k of a Pack, a std::tuple or a std::array.
template <std::size_t k, class T>
constexpr const T& element(const PackElement<k, T>& e) {
  return e.value;
}
template <std::size_t k, class P>
  requires requires { std::tuple_size<P>::value; }
constexpr const auto& element(const P& p) {
  return std::get<k>(p);
}

/// A Pack as a std::tuple; any other type as it is.
template <class... T, std::size_t... k>
std::tuple<T...> as_tuple(const Pack<T...>& p, std::index_sequence<k...>) {
  return {element<k>(p)...};
}
template <class... T>
std::tuple<T...> as_tuple(const Pack<T...>& p) {
  return as_tuple(p, std::index_sequence_for<T...>());
}
template <class P>
P as_tuple(const P& p) {
  return p;
}

}  // namespace detail

}  // namespace fewstep
